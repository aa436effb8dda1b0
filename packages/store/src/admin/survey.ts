import { DecodeError, type StoreId } from '@flotilla/base';
import type { ColdCodec, ColdValue, PeerLinks } from '@flotilla/ports';
import type { ClusterConfig } from '@flotilla/wire';
import type { Forwarding } from '../forwarding.ts';
import { objectOf } from './replies.ts';

const REPORT_MS = 600;

export interface SurveyOptions {
  readonly storeId: StoreId;
  readonly links: PeerLinks;
  readonly codec: ColdCodec;
  readonly forwarding: () => Forwarding;
  readonly config: () => ClusterConfig;
}

/** Asks all stores the same and waits for those that answer soon. */
export class Survey {
  readonly #options: SurveyOptions;

  constructor(options: SurveyOptions) {
    this.#options = options;
  }

  /** `own`: what this store says. Who does not answer in time, or nothing that can be read, is left out. */
  ask<T>(
    question: ColdValue,
    own: T,
    decode: (report: Uint8Array) => T,
    done: (reports: ReadonlyMap<StoreId, T>) => void,
  ): void {
    const { storeId, links, codec, config, forwarding } = this.#options;
    const reports = new Map<StoreId, T>([[storeId, own]]);
    const others = config()
      .stores.map((store) => store.storeId)
      .filter((id) => id !== storeId && links.isUp(id));
    let open = others.length;
    if (open === 0) {
      done(reports);
      return;
    }
    const asked = codec.encode(question);
    for (const id of others) {
      forwarding().ask(id, asked, { hops: 0, timeoutMs: REPORT_MS }, (outcome) => {
        const report = outcome.kind === 'answer' ? this.#read(outcome.cold, decode) : undefined;
        if (report !== undefined) reports.set(id, report);
        open--;
        if (open === 0) done(reports);
      });
    }
  }

  #read<T>(cold: Uint8Array, decode: (report: Uint8Array) => T): T | undefined {
    try {
      const { result } = objectOf(this.#options.codec.decode(cold));
      const { report } = objectOf(result);
      return report instanceof Uint8Array ? decode(report) : undefined;
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      return undefined;
    }
  }
}
