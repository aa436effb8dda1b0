/**
 * Byte strings as one-byte JavaScript strings: the engine hashes and compares those natively, and their
 * order is the order of the bytes.
 */
export function keyText(key: Uint8Array): string {
  return Buffer.prototype.latin1Slice.call(key, 0, key.length);
}

export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
