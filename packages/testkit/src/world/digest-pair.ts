/** Sum of item hashes in two halves of 32 bits: items come and go in any order. */
export class DigestPair {
  high = 0;
  low = 0;

  /** The item under `key`, of which the bytes from `keyFrom` on count, comes (1) or goes (-1). */
  add(key: Uint8Array, keyFrom: number, value: Uint8Array, sign: 1 | -1): void {
    let high = 0x811c9dc5 ^ value.length;
    let low = 0x9e3779b1 ^ key.length;
    for (let at = keyFrom; at < key.length; at++) {
      high = Math.imul(high ^ (key[at] as number), 0x01000193);
      low = Math.imul(low + (key[at] as number), 0x85ebca77);
    }
    for (let at = 0; at < value.length; at++) {
      high = Math.imul(high ^ (value[at] as number), 0x01000193);
      low = Math.imul(low + (value[at] as number), 0x85ebca77) ^ (low >>> 15);
    }
    this.high = (this.high + Math.imul(high ^ (high >>> 15), sign)) | 0;
    this.low = (this.low + Math.imul(low ^ (low >>> 13), sign)) | 0;
  }

  /** Adds a sum as one item of a larger one, under two numbers that name it. */
  mix(sum: DigestPair, a: number, b: number): void {
    const name = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul((b | 0) + 1, 0xc2b2ae3d);
    const high = Math.imul(sum.high ^ name, 0x85ebca77);
    const low = Math.imul(sum.low ^ name ^ (high >>> 15), 0x01000193);
    this.high = (this.high + (high ^ (high >>> 13))) | 0;
    this.low = (this.low + (low ^ (low >>> 16))) | 0;
  }

  /** Another sum comes (1) or goes (-1) as a whole. */
  addSum(sum: DigestPair, sign: 1 | -1): void {
    this.high = (this.high + Math.imul(sum.high, sign)) | 0;
    this.low = (this.low + Math.imul(sum.low, sign)) | 0;
  }

  equals(other: DigestPair): boolean {
    return this.high === other.high && this.low === other.low;
  }

  copy(): DigestPair {
    const copy = new DigestPair();
    copy.high = this.high;
    copy.low = this.low;
    return copy;
  }
}
