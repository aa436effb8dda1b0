import { EMPTY_BYTES, Reader, type StoreId, Writer } from '@flotilla/base';
import {
  Lane,
  neverRare,
  type PeerLinks,
  type Random,
  type RareBranches,
  type TimerId,
  type Timers,
} from '@flotilla/ports';
import { FrameKind, limits } from '@flotilla/wire';

/** A question passes through this many stores at most: whoever is asked may know somebody better once. */
const HOPS_MAX = 3;
const PENDING_MAX = 4_096;

/** How a question to another store ended. */
export type ForwardOutcome =
  | { readonly kind: 'answer'; readonly cold: Uint8Array }
  /** It never left: nothing happened there. */
  | { readonly kind: 'not-sent' }
  /** No answer came; it may have been carried out. */
  | { readonly kind: 'no-answer' };

interface Pending {
  readonly storeId: StoreId;
  readonly timer: TimerId;
  readonly done: (outcome: ForwardOutcome) => void;
}

export interface ForwardedQuestion {
  readonly cold: Uint8Array;
  readonly hops: number;
  readonly answer: (cold: Uint8Array) => void;
}

/** Questions between stores: cold bytes there, cold bytes back, or silence after a time. */
export class Forwarding {
  readonly #links: PeerLinks;
  readonly #timers: Timers;
  readonly #onQuestion: (from: StoreId, question: ForwardedQuestion) => void;
  readonly #rare: RareBranches;
  readonly #pending = new Map<number, Pending>();
  #lastId: number;

  constructor(
    links: PeerLinks,
    timers: Timers,
    random: Random,
    onQuestion: (from: StoreId, question: ForwardedQuestion) => void,
    rare: RareBranches = neverRare,
  ) {
    this.#links = links;
    this.#timers = timers;
    this.#onQuestion = onQuestion;
    this.#rare = rare;
    // An answer to a question of this store's life before must not pass for the answer to one of now.
    this.#lastId = random.u32() * 2 ** 20;
  }

  ask(
    storeId: StoreId,
    cold: Uint8Array,
    options: { readonly hops: number; readonly timeoutMs: number },
    done: (outcome: ForwardOutcome) => void,
  ): void {
    const isFull = this.#pending.size >= PENDING_MAX || this.#rare.take('question-unsent');
    if (options.hops >= HOPS_MAX || isFull) {
      done({ kind: 'not-sent' });
      return;
    }
    const id = ++this.#lastId;
    const out = new Writer(16 + cold.length);
    out.u53(id);
    out.u8(options.hops + 1);
    out.raw(cold);
    if (!this.#links.send(storeId, Lane.consensus, FrameKind.adminForward, out.take(), 'normal')) {
      done({ kind: 'not-sent' });
      return;
    }
    const timer = this.#timers.set(options.timeoutMs, () => this.#settle(id, { kind: 'no-answer' }));
    this.#pending.set(id, { storeId, timer, done });
  }

  /** True if the frame was one of ours. */
  onFrame(storeId: StoreId, kind: number, body: Uint8Array): boolean {
    if (kind === FrameKind.adminForward) {
      const from = new Reader(body);
      const id = from.u53();
      const hops = from.u8();
      const cold = from.raw(from.remaining);
      this.#onQuestion(storeId, { cold, hops, answer: (bytes) => this.#answer(storeId, id, bytes) });
      return true;
    }
    if (kind !== FrameKind.adminForwardReply) return false;
    const from = new Reader(body);
    const id = from.u53();
    if (this.#pending.get(id)?.storeId === storeId) {
      this.#settle(id, {
        kind: 'answer',
        cold: from.remaining === 0 ? EMPTY_BYTES : from.raw(from.remaining),
      });
    }
    return true;
  }

  peerDown(storeId: StoreId): void {
    for (const [id, pending] of [...this.#pending]) {
      if (pending.storeId === storeId) this.#settle(id, { kind: 'no-answer' });
    }
  }

  #answer(storeId: StoreId, id: number, cold: Uint8Array): void {
    if (this.#rare.take('answer-lost')) return;
    const out = new Writer(16 + cold.length);
    out.u53(id);
    out.raw(cold.length > limits.clientFrameBytes ? EMPTY_BYTES : cold);
    this.#links.send(storeId, Lane.consensus, FrameKind.adminForwardReply, out.take(), 'normal');
  }

  #settle(id: number, outcome: ForwardOutcome): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#timers.clear(pending.timer);
    this.#pending.delete(id);
    pending.done(outcome);
  }
}
