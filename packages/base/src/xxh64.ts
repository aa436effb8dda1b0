import { i32At } from './integers.ts';

/**
 * xxh64 with seed 0 on 32-bit halves: no bigint, no allocation, no host object. A 64-bit product needs the
 * high half of a 32 × 32 product, which JavaScript does not have; `mulHigh` makes it from 16-bit limbs.
 * Each constant therefore stands here as high half, low half, and the two limbs of the low half.
 */

const P1H = 0x9e3779b1 | 0;
const P1L = 0x85ebca87 | 0;
const P1L0 = 0xca87;
const P1L1 = 0x85eb;
const P2H = 0xc2b2ae3d | 0;
const P2L = 0x27d4eb4f;
const P2L0 = 0xeb4f;
const P2L1 = 0x27d4;
const P3H = 0x165667b1;
const P3L = 0x9e3779f9 | 0;
const P3L0 = 0x79f9;
const P3L1 = 0x9e37;
const P4H = 0x85ebca77 | 0;
const P4L = 0xc2b2ae63 | 0;
const P5H = 0x27d4eb2f;
const P5L = 0x165667c5;
const P5L0 = 0x67c5;
const P5L1 = 0x1656;

/** Bits 32 … 63 of `low * (limb1 << 16 | limb0)`, all unsigned. */
function mulHigh(low: number, limb0: number, limb1: number): number {
  const low0 = low & 0xffff;
  const low1 = low >>> 16;
  const cross0 = Math.imul(low1, limb0);
  const cross1 = Math.imul(low0, limb1);
  const middle = (Math.imul(low0, limb0) >>> 16) + (cross0 & 0xffff) + (cross1 & 0xffff);
  return (Math.imul(low1, limb1) + (cross0 >>> 16) + (cross1 >>> 16) + (middle >>> 16)) | 0;
}

function carry(sum: number, addend: number): number {
  return sum >>> 0 < addend >>> 0 ? 1 : 0;
}

/** Fits the `Hasher` port. One object serves any number of callers, one call at a time. */
export class Xxh64 {
  #high = 0;
  #low = 0;
  /** The four accumulators of the stripe loop as low and high halves. */
  readonly #lanes = new Int32Array(8);

  get high(): number {
    return this.#high >>> 0;
  }

  get low(): number {
    return this.#low >>> 0;
  }

  hash(bytes: Uint8Array): number {
    const length = bytes.length;
    let at = 0;
    if (length >= 32) {
      at = this.#stripes(bytes);
    } else {
      this.#high = P5H;
      this.#low = P5L;
    }
    // From here on all lengths are alike: add the length, then mix in what is left in steps of 8, 4 and 1.
    let low = (this.#low + length) | 0;
    let high = (this.#high + carry(low, length) + Math.floor(length / 0x1_0000_0000)) | 0;
    let mixLow = 0;
    let mixHigh = 0;
    for (; at + 8 <= length; at += 8) {
      const inLow = i32At(bytes, at);
      const inHigh = i32At(bytes, at + 4);
      mixHigh = (mulHigh(inLow, P2L0, P2L1) + Math.imul(inHigh, P2L) + Math.imul(inLow, P2H)) | 0;
      mixLow = Math.imul(inLow, P2L);
      const turnedHigh = (mixHigh << 31) | (mixLow >>> 1);
      const turnedLow = (mixLow << 31) | (mixHigh >>> 1);
      high ^= (mulHigh(turnedLow, P1L0, P1L1) + Math.imul(turnedHigh, P1L) + Math.imul(turnedLow, P1H)) | 0;
      low ^= Math.imul(turnedLow, P1L);
      mixHigh = (high << 27) | (low >>> 5);
      mixLow = (low << 27) | (high >>> 5);
      low = (Math.imul(mixLow, P1L) + P4L) | 0;
      high =
        (mulHigh(mixLow, P1L0, P1L1) +
          Math.imul(mixHigh, P1L) +
          Math.imul(mixLow, P1H) +
          P4H +
          carry(low, P4L)) |
        0;
    }
    if (at + 4 <= length) {
      const inLow = i32At(bytes, at);
      high ^= (mulHigh(inLow, P1L0, P1L1) + Math.imul(inLow, P1H)) | 0;
      low ^= Math.imul(inLow, P1L);
      mixHigh = (high << 23) | (low >>> 9);
      mixLow = (low << 23) | (high >>> 9);
      low = (Math.imul(mixLow, P2L) + P3L) | 0;
      high =
        (mulHigh(mixLow, P2L0, P2L1) +
          Math.imul(mixHigh, P2L) +
          Math.imul(mixLow, P2H) +
          P3H +
          carry(low, P3L)) |
        0;
      at += 4;
    }
    for (; at < length; at++) {
      const byte = bytes[at] as number;
      high ^= (mulHigh(byte, P5L0, P5L1) + Math.imul(byte, P5H)) | 0;
      low ^= Math.imul(byte, P5L);
      mixHigh = (high << 11) | (low >>> 21);
      mixLow = (low << 11) | (high >>> 21);
      high = (mulHigh(mixLow, P1L0, P1L1) + Math.imul(mixHigh, P1L) + Math.imul(mixLow, P1H)) | 0;
      low = Math.imul(mixLow, P1L);
    }
    // Avalanche: every input bit reaches every output bit.
    low ^= high >>> 1;
    mixHigh = (mulHigh(low, P2L0, P2L1) + Math.imul(high, P2L) + Math.imul(low, P2H)) | 0;
    mixLow = Math.imul(low, P2L);
    mixLow ^= (mixLow >>> 29) | (mixHigh << 3);
    mixHigh ^= mixHigh >>> 29;
    high = (mulHigh(mixLow, P3L0, P3L1) + Math.imul(mixHigh, P3L) + Math.imul(mixLow, P3H)) | 0;
    low = Math.imul(mixLow, P3L);
    low ^= high;
    this.#high = high;
    this.#low = low;
    return low >>> 0;
  }

  /** Takes all whole stripes of 32 bytes, leaves their merged hash in the fields, returns where they end. */
  #stripes(bytes: Uint8Array): number {
    const lanes = this.#lanes;
    // Seed 0: P1 + P2, P2, 0, -P1.
    const low12 = (P1L + P2L) | 0;
    lanes[0] = low12;
    lanes[1] = (P1H + P2H + carry(low12, P2L)) | 0;
    lanes[2] = P2L;
    lanes[3] = P2H;
    lanes[4] = 0;
    lanes[5] = 0;
    lanes[6] = -P1L | 0;
    lanes[7] = ~P1H;
    const end = bytes.length - 32;
    let at = 0;
    for (; at <= end; at += 32) {
      for (let lane = 0; lane < 8; lane += 2) {
        const from = at + lane * 4;
        const inLow = i32At(bytes, from);
        const inHigh = i32At(bytes, from + 4);
        const productLow = Math.imul(inLow, P2L);
        const sumLow = ((lanes[lane] as number) + productLow) | 0;
        const sumHigh =
          ((lanes[lane + 1] as number) +
            mulHigh(inLow, P2L0, P2L1) +
            Math.imul(inHigh, P2L) +
            Math.imul(inLow, P2H) +
            carry(sumLow, productLow)) |
          0;
        const turnedHigh = (sumHigh << 31) | (sumLow >>> 1);
        const turnedLow = (sumLow << 31) | (sumHigh >>> 1);
        lanes[lane + 1] =
          mulHigh(turnedLow, P1L0, P1L1) + Math.imul(turnedHigh, P1L) + Math.imul(turnedLow, P1H);
        lanes[lane] = Math.imul(turnedLow, P1L);
      }
    }
    let low = 0;
    let high = 0;
    for (let lane = 0; lane < 8; lane += 2) {
      const turn = lane === 0 ? 1 : lane === 2 ? 7 : lane === 4 ? 12 : 18;
      const laneLow = lanes[lane] as number;
      const laneHigh = lanes[lane + 1] as number;
      const addLow = (laneLow << turn) | (laneHigh >>> (32 - turn));
      low = (low + addLow) | 0;
      high = (high + ((laneHigh << turn) | (laneLow >>> (32 - turn))) + carry(low, addLow)) | 0;
    }
    for (let lane = 0; lane < 8; lane += 2) {
      const laneLow = lanes[lane] as number;
      const laneHigh = lanes[lane + 1] as number;
      const mixHigh = (mulHigh(laneLow, P2L0, P2L1) + Math.imul(laneHigh, P2L) + Math.imul(laneLow, P2H)) | 0;
      const mixLow = Math.imul(laneLow, P2L);
      const turnedHigh = (mixHigh << 31) | (mixLow >>> 1);
      const turnedLow = (mixLow << 31) | (mixHigh >>> 1);
      high ^= (mulHigh(turnedLow, P1L0, P1L1) + Math.imul(turnedHigh, P1L) + Math.imul(turnedLow, P1H)) | 0;
      low ^= Math.imul(turnedLow, P1L);
      const productLow = Math.imul(low, P1L);
      high = (mulHigh(low, P1L0, P1L1) + Math.imul(high, P1L) + Math.imul(low, P1H)) | 0;
      low = (productLow + P4L) | 0;
      high = (high + P4H + carry(low, P4L)) | 0;
    }
    this.#high = high;
    this.#low = low;
    return at;
  }
}
