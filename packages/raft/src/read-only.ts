import { EMPTY_BYTES, type RaftId, Reader, Writer } from '@flotilla/base';
import { TickLease } from './tick-lease.ts';

/**
 * Reads that wait for the proof that this node still leads (thesis 6.4). Each one opens a *round*: a number that
 * travels in the context of heartbeats and comes back in their answers. Once a majority answered round r or
 * a later one, nobody else was leader when round r began, so every read of r and earlier may be answered.
 *
 * The round, and not the caller's context, is what is acknowledged. Contexts come from many nodes and may
 * repeat; with them as keys an answer to an old heartbeat could confirm a new read:
 *
 * 1. A client of node B reads under context X. The leader's heartbeat with X goes out and is delayed.
 * 2. B restarts and uses X again, for a read that must see a later write.
 * 3. The late answer to 1 arrives and would confirm 2 with a majority that may have moved on since.
 *
 * Rounds never repeat within a leadership, and answers of another term never get here.
 */
export interface ReadRequest {
  readonly round: number;
  /** The commit index when the request arrived: what the reader must see at least. */
  readonly index: number;
  /** Who asked; the own id for a read of this node. */
  readonly from: RaftId;
  readonly context: Uint8Array;
}

export class ReadOnlyQueue {
  /** Used where reads trust ticks, and only there. */
  readonly lease: TickLease = new TickLease();
  #round = 0;
  #waiting: ReadRequest[] = [];
  readonly #acknowledged = new Map<RaftId, number>();

  get count(): number {
    return this.#waiting.length;
  }

  /** The round of the newest waiting read; 0 if none waits. Every heartbeat carries it. */
  get roundPending(): number {
    return this.#waiting.length === 0 ? 0 : this.#round;
  }

  /** Opens a round that no read waits for yet. */
  openRound(): number {
    return ++this.#round;
  }

  /** Queues a read and returns its round, which has to go out with heartbeats now. */
  add(index: number, from: RaftId, context: Uint8Array): number {
    this.#round++;
    this.#waiting.push({ round: this.#round, index, from, context });
    return this.#round;
  }

  acknowledge(id: RaftId, round: number): void {
    if (round > this.#round) return; // Not ours: nobody can answer a round that was never asked.
    if (round > (this.#acknowledged.get(id) ?? 0)) this.#acknowledged.set(id, round);
  }

  acknowledged(id: RaftId): number {
    return this.#acknowledged.get(id) ?? 0;
  }

  /** Takes out every read up to the round that a quorum acknowledged, oldest first. */
  release(roundConfirmed: number): readonly ReadRequest[] {
    let count = 0;
    while (count < this.#waiting.length && (this.#waiting[count] as ReadRequest).round <= roundConfirmed)
      count++;
    return count === 0 ? NONE : this.#waiting.splice(0, count);
  }

  /** The end of a leadership: who waits finds out by its own means and asks again. */
  reset(): void {
    this.#round = 0;
    this.#waiting = [];
    this.#acknowledged.clear();
    this.lease.reset();
  }
}

const NONE: readonly ReadRequest[] = [];

/** Round 0 means none and takes no bytes. */
export function encodeRound(round: number): Uint8Array {
  if (round === 0) return EMPTY_BYTES;
  const out = new Writer(8);
  out.u53(round);
  return out.take();
}

/** 0 for whatever is not a round. */
export function decodeRound(context: Uint8Array): number {
  if (context.length !== 8) return 0;
  const from = new Reader(context);
  const low = from.u32();
  const high = from.u32();
  return high > 0x1f_ffff ? 0 : high * 0x1_0000_0000 + low;
}
