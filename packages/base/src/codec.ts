import { assert } from './assert.ts';
import { EMPTY_BYTES, utf8Decode, utf8EncodeInto } from './bytes.ts';
import { DecodeError } from './errors.ts';
import { putU32, putU53, u32At } from './integers.ts';

/**
 * Little-endian binary writer and reader for hot messages and stored records. The writer grows; the reader
 * checks every length before it touches or allocates anything, and throws {@link DecodeError} only.
 * 64-bit counters travel as `u53`: eight bytes, of which the value uses 53 bits.
 */

const TWO_32 = 0x1_0000_0000;
/** A fraction on its way between a number and its bytes; the only one that needs a view. */
const fraction = new DataView(new ArrayBuffer(8));

export class Writer {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Makes room for `count` more bytes and returns where they begin. */
  reserve(count: number): number {
    const at = this.length;
    const end = at + count;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.length = end;
    return at;
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    this.patchU16(this.reserve(2), value);
  }

  u32(value: number): void {
    const at = this.reserve(4);
    putU32(this.bytes, at, value);
  }

  u53(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, () => `not a safe count: ${value}`);
    const at = this.reserve(8);
    putU53(this.bytes, at, value);
  }

  f64(value: number): void {
    const at = this.reserve(8);
    fraction.setFloat64(0, value, true);
    for (let byte = 0; byte < 8; byte++) this.bytes[at + byte] = fraction.getUint8(byte);
  }

  bool(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  /** u16 length and bytes, for keys and ids. */
  bytes16(bytes: Uint8Array): void {
    assert(bytes.length <= 0xffff, () => `${bytes.length} bytes do not fit a 16-bit length`);
    this.u16(bytes.length);
    this.raw(bytes);
  }

  /** u32 length and bytes. */
  bytes32(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** u32 length and UTF-8. */
  text(text: string): void {
    const lengthAt = this.reserve(4);
    const begin = this.length;
    this.reserve(text.length * 3);
    this.length = utf8EncodeInto(text, this.bytes, begin);
    putU32(this.bytes, lengthAt, this.length - begin);
  }

  patchU8(at: number, value: number): void {
    this.bytes[at] = value;
  }

  patchU16(at: number, value: number): void {
    this.bytes[at] = value;
    this.bytes[at + 1] = value >>> 8;
  }

  patchU32(at: number, value: number): void {
    putU32(this.bytes, at, value);
  }

  patchU53(at: number, value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, () => `not a safe count: ${value}`);
    putU53(this.bytes, at, value);
  }

  /** A copy of what was written; the writer may be reset and used again. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** What was written, without a copy: the writer must not be used afterwards. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length);
    this.bytes = EMPTY_BYTES;
    this.length = 0;
    return taken;
  }

  reset(): void {
    this.length = 0;
  }
}

export class Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    assert(at >= 0 && at <= end && end <= bytes.length, 'a reader needs a range inside its bytes');
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  #take(count: number): number {
    const at = this.at;
    if (count > this.end - at) {
      throw new DecodeError(`${count} bytes wanted at offset ${at}, ${this.end - at} are left`, {
        at,
        count,
      });
    }
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.bytes[this.#take(1)] as number;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.bytes[at] as number) | ((this.bytes[at + 1] as number) << 8);
  }

  u32(): number {
    return u32At(this.bytes, this.#take(4));
  }

  u53(): number {
    const at = this.#take(8);
    const high = u32At(this.bytes, at + 4);
    if (high > 0x1f_ffff) throw new DecodeError(`the number at offset ${at} is above 2^53-1`, { at });
    return high * TWO_32 + u32At(this.bytes, at);
  }

  f64(): number {
    const at = this.#take(8);
    for (let byte = 0; byte < 8; byte++) fraction.setUint8(byte, this.bytes[at + byte] as number);
    return fraction.getFloat64(0, true);
  }

  bool(): boolean {
    const at = this.at;
    const value = this.u8();
    if (value > 1) throw new DecodeError(`${value} at offset ${at} is neither 0 nor 1`, { at });
    return value === 1;
  }

  /** A view of the next bytes, not a copy. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.bytes.subarray(at, at + count);
  }

  bytes16(max: number): Uint8Array {
    const length = this.u16();
    if (length > max)
      throw new DecodeError(`${length} bytes where at most ${max} may stand`, { length, max });
    return this.raw(length);
  }

  bytes32(max: number): Uint8Array {
    const length = this.u32();
    if (length > max)
      throw new DecodeError(`${length} bytes where at most ${max} may stand`, { length, max });
    return this.raw(length);
  }

  text(max: number): string {
    return utf8Decode(this.bytes32(max));
  }

  /** A list length of at most `max` items, each of which takes at least `bytesMin` of what is left. */
  count(max: number, bytesMin: number): number {
    const count = this.u32();
    if (count > max || count * bytesMin > this.remaining) {
      throw new DecodeError(`a list of ${count} does not fit (limit ${max}, ${this.remaining} bytes left)`, {
        count,
      });
    }
    return count;
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** Trailing bytes mean a format that we do not know. */
  expectEnd(): void {
    if (this.at !== this.end) {
      throw new DecodeError(`${this.end - this.at} bytes too many at offset ${this.at}`, { at: this.at });
    }
  }
}
