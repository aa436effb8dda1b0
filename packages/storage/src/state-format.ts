import { CorruptionError, hexEncode } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';

/**
 * Stored form of state values: a checksum over key and value (4 bytes, little endian), then the value. The key
 * is part of it so that a value in the wrong place does not pass. Part of the disk format.
 */
const SUM_BYTES = 4;

export function encodeState(
  take: (bytes: number) => Uint8Array,
  hasher: Hasher,
  key: Uint8Array,
  value: Uint8Array,
): Uint8Array {
  const bytes = take(SUM_BYTES + value.length);
  const sum = checksum(hasher, key, value);
  bytes[0] = sum;
  bytes[1] = sum >>> 8;
  bytes[2] = sum >>> 16;
  bytes[3] = sum >>> 24;
  bytes.set(value, SUM_BYTES);
  return bytes;
}

/** The value inside, as a view. */
export function decodeState(hasher: Hasher, key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const value = bytes.subarray(SUM_BYTES);
  if (bytes.length >= SUM_BYTES) {
    const b = bytes as { readonly [at: number]: number };
    const stored = ((b[0] as number) | ((b[1] as number) << 8) | ((b[2] as number) << 16)) >>> 0;
    const sum = (stored + (b[3] as number) * 0x100_0000) >>> 0;
    if (sum === checksum(hasher, key, value)) return value;
  }
  throw new CorruptionError(
    `state: the checksum of the value under key ${hexEncode(key)} does not fit; the disk returned other bytes ` +
      'than were written. The replica must not answer; it is to be replaced under a new raft id',
    { key: hexEncode(key) },
  );
}

/** Two hashes, since key and value do not lie side by side; the factor keeps them from trading places. */
function checksum(hasher: Hasher, key: Uint8Array, value: Uint8Array): number {
  const ofKey = Math.imul(hasher.hash(key), 0x9e3779b1);
  return (ofKey + hasher.hash(value)) >>> 0;
}
