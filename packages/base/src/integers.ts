/**
 * Integers in bytes, written byte by byte. A `DataView` would cost more than everything done with it: small arrays
 * lie on the heap of the engine, which moves their bytes out into memory of their own as soon as anybody asks for
 * their buffer.
 */

const TWO_32 = 0x1_0000_0000;

/** Little endian, as everything on the wire is. */
export function u32At(bytes: Uint8Array, at: number): number {
  return i32At(bytes, at) >>> 0;
}

/** The same bits as a signed number, for arithmetic modulo 2^32. */
export function i32At(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Eight bytes; the value is a safe count. */
export function putU53(bytes: Uint8Array, at: number, value: number): void {
  putU32(bytes, at, value % TWO_32);
  putU32(bytes, at + 4, Math.floor(value / TWO_32));
}

/** Big endian, for keys: their order is the order of the numbers. */
export function u32BigAt(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/** Eight bytes; nothing is checked, as such keys are our own. */
export function u64BigAt(bytes: Uint8Array, at: number): number {
  return u32BigAt(bytes, at) * TWO_32 + u32BigAt(bytes, at + 4);
}

export function putU32Big(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function putU53Big(bytes: Uint8Array, at: number, value: number): void {
  putU32Big(bytes, at, Math.floor(value / TWO_32));
  putU32Big(bytes, at + 4, value % TWO_32);
}
