/**
 * xxh64 with seed 0, without a bigint per call. It is integrity and placement, never authentication.
 * The two halves of the last result stand in `high` and `low` until the next call.
 */
export interface Hasher {
  /** Hashes the bytes and returns the low half. */
  hash(bytes: Uint8Array): number;
  /** Bits 32 … 63 of the last result, as an unsigned number. */
  readonly high: number;
  /** Bits 0 … 31 of the last result, as an unsigned number. */
  readonly low: number;
}
