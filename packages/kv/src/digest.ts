import type { Digest } from '@flotilla/wire';

const TWO_32 = 0x1_0000_0000;

/**
 * Sum of item hashes modulo 2^64. It does not depend on order, so it is kept by adding what comes and
 * subtracting what goes, and two replicas, or two ends of a move, compare content by comparing sums.
 */
export class DigestSum {
  hi = 0;
  lo = 0;

  add(hi: number, lo: number): void {
    const sum = this.lo + lo;
    const carry = sum >= TWO_32 ? 1 : 0;
    this.lo = sum >>> 0;
    this.hi = (this.hi + hi + carry) >>> 0;
  }

  subtract(hi: number, lo: number): void {
    const borrow = this.lo < lo ? 1 : 0;
    this.lo = (this.lo - lo) >>> 0;
    this.hi = (this.hi - hi - borrow) >>> 0;
  }

  reset(): void {
    this.hi = 0;
    this.lo = 0;
  }

  equals(digest: Digest): boolean {
    return this.hi === digest.hi && this.lo === digest.lo;
  }

  value(): Digest {
    return { hi: this.hi, lo: this.lo };
  }
}
