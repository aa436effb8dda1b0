import { Reader, utf8Decode, utf8Encode, type Writer } from '@flotilla/base';
import { type AddressEntry, readAddressBook, writeAddressBook } from '@flotilla/wire';

/** Body of a ping: sign of life, half of a clock measurement, and news of the address book. */
export interface Ping {
  /** The sender's monotonic clock; comes back in the pong and means nothing to anyone else. */
  readonly sentMonoMs: number;
  readonly clusterId: string;
  /** Lines that changed since the last ping on this link. */
  readonly addressBook: readonly AddressEntry[];
}

export interface Pong {
  readonly sentMonoMs: number;
  /** The answering store's wall clock. */
  readonly wallMs: number;
}

export function writePing(out: Writer, ping: Ping): void {
  out.f64(ping.sentMonoMs);
  out.bytes16(utf8Encode(ping.clusterId));
  writeAddressBook(out, ping.addressBook);
}

/** Trailing bytes are allowed: a later protocol may say more. */
export function readPing(body: Uint8Array): Ping {
  const from = new Reader(body);
  return {
    sentMonoMs: from.f64(),
    clusterId: utf8Decode(from.bytes16(1024)),
    addressBook: readAddressBook(from),
  };
}

export function writePong(out: Writer, pong: Pong): void {
  out.f64(pong.sentMonoMs);
  out.f64(pong.wallMs);
}

export function readPong(body: Uint8Array): Pong {
  const from = new Reader(body);
  return { sentMonoMs: from.f64(), wallMs: from.f64() };
}

interface Sample {
  readonly atMs: number;
  readonly rttMs: number;
  /** The peer's wall clock minus our monotonic clock, as if read at the middle of the round trip. */
  readonly skewMs: number;
}

const SAMPLE_AGE_MS = 8000;

/**
 * How far the peer's wall clock is from ours. The peer read its clock somewhere within the round trip, so
 * the middle is wrong by at most half of it, and the shortest recent round trip gives the best answer. Kept
 * against our monotonic clock, so that a jump of our own wall clock shows at once.
 */
export class ClockEstimate {
  #best: Sample | undefined;
  #lastRttMs: number | undefined;

  get rttMs(): number | undefined {
    return this.#lastRttMs;
  }

  observe(pong: Pong, nowMonoMs: number): void {
    const rttMs = nowMonoMs - pong.sentMonoMs;
    // A pong that answers none of our pings: nonsense of the peer, or numbers that are none.
    if (!(rttMs >= 0 && rttMs < 60_000) || !Number.isFinite(pong.wallMs)) return;
    this.#lastRttMs = rttMs;
    const sample = { atMs: nowMonoMs, rttMs, skewMs: pong.wallMs + rttMs / 2 - nowMonoMs };
    const best = this.#best;
    const jumped = best !== undefined && Math.abs(best.skewMs - sample.skewMs) > (best.rttMs + rttMs) / 2 + 1;
    if (best === undefined || jumped || rttMs <= best.rttMs || nowMonoMs - best.atMs > SAMPLE_AGE_MS) {
      this.#best = sample;
    }
  }

  /** Positive if the peer's clock is ahead. */
  offsetMs(nowMonoMs: number, nowWallMs: number): number | undefined {
    return this.#best === undefined ? undefined : this.#best.skewMs + nowMonoMs - nowWallMs;
  }
}
