/**
 * Little-endian numbers in byte arrays, for stored items. A `DataView` per item would cost more than the
 * item's own work, hence plain arithmetic on bytes.
 */

const TWO_32 = 0x1_0000_0000;

export function getU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

export function getU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

export function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** A safe count in eight bytes. */
export function getU53(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at + 4) * TWO_32 + getU32(bytes, at);
}

const TOP_OF_U53 = 0x1f_ffff;

/** True if a safe count stands here, whole. */
export function isU53(bytes: Uint8Array, at: number): boolean {
  return at + 8 <= bytes.length && getU32(bytes, at + 4) <= TOP_OF_U53;
}

export function setU53(bytes: Uint8Array, at: number, value: number): void {
  setU32(bytes, at, value % TWO_32);
  setU32(bytes, at + 4, Math.floor(value / TWO_32));
}

/** A safe count in eight bytes, highest first, so that byte order is numeric order. */
export function getOrdered(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let offset = 0; offset < 8; offset++) value = value * 256 + (bytes[at + offset] as number);
  return value;
}

export function setOrdered(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let offset = 7; offset >= 0; offset--) {
    bytes[at + offset] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}
