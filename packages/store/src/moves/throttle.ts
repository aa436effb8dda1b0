import type { Counter } from '@flotilla/ports';
import { TokenBucket } from './token-bucket.ts';

/** A request is forgotten after this; whoever still needs it asks again. */
const LIFE_MS = 5_000;
/** More than all stores together may move at a time into groups that lead elsewhere. */
const SHARDS_MAX = 1_024;

interface Limit {
  readonly bucket: TokenBucket;
  untilMs: number;
}

/** A shard in one group: its new owner, which the same store may lead, is not slowed down. */
function nameOf(gid: number, shard: number): number {
  return gid * 65_536 + shard;
}

/**
 * Slows down the writers of single shards, so that a move gets ahead of them. A leader refuses, before they
 * are proposed, the commands for which the shard's rate has no room; the clients try again a little later.
 */
export class Throttle {
  readonly #now: () => number;
  readonly #refusals: Counter;
  readonly #limits = new Map<number, Limit>();
  readonly #admits = (shard: number, bytes: number): boolean => this.#admit(shard, bytes);
  /** When the last request ends: until then each batch is looked at. */
  #untilMs = 0;
  /** Of the batch that is being walked. */
  #gid = 0;
  #nowMs = 0;

  constructor(now: () => number, refusals: Counter) {
    this.#now = now;
    this.#refusals = refusals;
  }

  /** For the walk over one batch for a group. Undefined while nobody is slowed down: the walk asks nothing. */
  admitsFor(gid: number): ((shard: number, bytes: number) => boolean) | undefined {
    if (this.#limits.size === 0) return undefined;
    this.#gid = gid;
    this.#nowMs = this.#now();
    if (this.#nowMs < this.#untilMs) return this.#admits;
    this.#limits.clear();
    return undefined;
  }

  /** Keeps the writers of the shard below this rate for the next seconds. False if too many are slowed down. */
  request(gid: number, shard: number, bytesPerSecond: number): boolean {
    const nowMs = this.#now();
    const rate = Math.max(1, bytesPerSecond);
    const name = nameOf(gid, shard);
    const limit = this.#limits.get(name);
    if (limit === undefined && this.#limits.size >= SHARDS_MAX) return false;
    this.#untilMs = nowMs + LIFE_MS;
    if (limit === undefined) {
      this.#limits.set(name, { bucket: new TokenBucket(rate, nowMs), untilMs: this.#untilMs });
    } else {
      limit.bucket.setRate(rate, nowMs);
      limit.untilMs = this.#untilMs;
    }
    return true;
  }

  #admit(shard: number, bytes: number): boolean {
    const name = nameOf(this.#gid, shard);
    const limit = this.#limits.get(name);
    if (limit === undefined) return true;
    if (this.#nowMs >= limit.untilMs) {
      this.#limits.delete(name);
      return true;
    }
    if (limit.bucket.allows(this.#nowMs)) {
      limit.bucket.take(bytes);
      return true;
    }
    this.#refusals.add(1);
    return false;
  }
}
