import type { StoreId } from '@flotilla/base';
import type { Host } from '@flotilla/host';
import type { ColdCodec, ColdValue, PeerLinks } from '@flotilla/ports';
import type { ClusterConfig } from '@flotilla/wire';
import type { Forwarding } from '../forwarding.ts';
import { type Answer, failure, readReply } from './replies.ts';

const FORWARD_MS = 5_000;

export interface RelayOptions {
  readonly storeId: StoreId;
  readonly host: Host;
  readonly links: PeerLinks;
  readonly codec: ColdCodec;
  readonly forwarding: () => Forwarding;
  readonly config: () => ClusterConfig;
}

/** Passes a request on to the store that leads the group which it is about, as far as anybody knows. */
export class Relay {
  readonly #options: RelayOptions;
  /** Turns through the stores of a group while none is known to lead. */
  #next = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  passOn(gid: number, question: ColdValue, hops: number, reply: Answer): void {
    const target = this.#leaderStore(gid);
    const { codec } = this.#options;
    const words = gid === 0 ? 'the controller group' : `group ${gid}`;
    if (target === undefined) {
      reply(failure('no-leader', `no store that could lead ${words} is in reach: try again`, 'backoff'));
      return;
    }
    const options = { hops, timeoutMs: FORWARD_MS };
    this.#options.forwarding().ask(target, codec.encode(question), options, (outcome) => {
      if (outcome.kind === 'answer') {
        reply(readReply(codec, outcome.cold, target));
      } else if (outcome.kind === 'not-sent') {
        const what = `${words} has no leader that store ${target} knows: try again`;
        reply(failure('no-leader', what, 'backoff'));
      } else {
        const what = `store ${target}, which was asked to lead ${words} through this, did not answer`;
        reply(failure('no-answer', `${what}: the change may or may not have happened; ask again`, 'backoff'));
      }
    });
  }

  #leaderStore(gid: number): StoreId | undefined {
    const { host, storeId, links, config } = this.#options;
    const known = host.replica(gid)?.leaderStore();
    if (known !== undefined && known !== storeId && links.isUp(known)) return known;
    const { controller, groups } = config();
    const record = gid === 0 ? controller : groups.find((group) => group.gid === gid);
    const stores = (record?.replicas ?? [])
      .map((replica) => replica.storeId)
      .filter((id) => id !== storeId && links.isUp(id));
    return stores[this.#next++ % Math.max(1, stores.length)];
  }
}
