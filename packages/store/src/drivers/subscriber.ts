import { Reader, type StoreId, Writer } from '@flotilla/base';
import { Lane, neverRare, type PeerLinks, type RareBranches } from '@flotilla/ports';
import { FrameKind, limits } from '@flotilla/wire';
import type { ConfigHolder } from '../config-holder.ts';

const ASK_MS = 1_000;

/**
 * Keeps stores at the newest config: whoever learns one pushes it to all that are connected, two stores that
 * meet compare, and each asks somebody now and then, in case a push was lost.
 */
export class ConfigSubscriber {
  readonly #links: PeerLinks;
  readonly #holder: ConfigHolder;
  readonly #peers: () => readonly StoreId[];
  readonly #now: () => number;
  readonly #rare: RareBranches;
  #askedAt: number = Number.NEGATIVE_INFINITY;
  #turn = 0;

  constructor(options: {
    readonly links: PeerLinks;
    readonly holder: ConfigHolder;
    readonly peers: () => readonly StoreId[];
    readonly now: () => number;
    readonly rare?: RareBranches | undefined;
  }) {
    this.#links = options.links;
    this.#holder = options.holder;
    this.#peers = options.peers;
    this.#now = options.now;
    this.#rare = options.rare ?? neverRare;
    this.#holder.onChange(({ encoded, delta }) => {
      for (const storeId of this.#peers()) {
        if (this.#rare.take('config-push-skipped')) continue;
        if (delta === undefined || this.#rare.take('config-push-whole'))
          this.#push(storeId, FrameKind.config, encoded);
        else this.#push(storeId, FrameKind.configDelta, delta);
      }
    });
  }

  tick(): void {
    const now = this.#now();
    if (now - this.#askedAt < ASK_MS && !this.#rare.take('config-asked-again')) return;
    this.#askedAt = now;
    const peers = this.#peers();
    const peer = peers[this.#turn++ % Math.max(1, peers.length)];
    if (peer !== undefined) this.ask(peer);
  }

  /** Tells the other what we hold; it sends back what is newer. */
  ask(storeId: StoreId): void {
    const out = new Writer(8);
    out.u53(this.#holder.config.number);
    this.#links.send(storeId, Lane.consensus, FrameKind.configAsk, out.take(), 'normal');
  }

  onAsk(storeId: StoreId, body: Uint8Array): void {
    if (new Reader(body).u53() < this.#holder.config.number) {
      this.#push(storeId, FrameKind.config, this.#holder.encoded);
    }
  }

  onConfig(body: Uint8Array): void {
    if (body.length <= limits.clientFrameBytes) this.#holder.offerEncoded(body.slice());
  }

  onDelta(storeId: StoreId, body: Uint8Array): void {
    if (!this.#holder.offerDelta(body)) this.ask(storeId);
  }

  #push(storeId: StoreId, kind: FrameKind, body: Uint8Array): void {
    this.#links.send(storeId, Lane.consensus, kind, body, 'normal');
  }
}
