/** General-purpose compression of whole messages (zstd). Synchronous, so messages keep their order. */
export interface Compressor {
  /** Level 1 is for traffic that is in a hurry, 3 for bulk. */
  compress(bytes: Uint8Array, level: number): Uint8Array;
  /** Exactly `rawLength` bytes, or `DecodeError`; never allocates more than that. */
  decompress(bytes: Uint8Array, rawLength: number): Uint8Array;
}
