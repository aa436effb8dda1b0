import { assert } from './assert.ts';
import { EMPTY_BYTES, utf8Decode, utf8EncodeInto } from './bytes.ts';
import { DecodeError } from './errors.ts';

/**
 * Little-endian binary writer and reader for hot messages and stored records. The writer grows; the reader
 * checks every length before it touches or allocates anything, and throws {@link DecodeError} only.
 * 64-bit counters travel as `u53`: eight bytes, of which the value uses 53 bits.
 */

const TWO_32 = 0x1_0000_0000;

export class Writer {
  bytes: Uint8Array;
  length = 0;
  #view: DataView;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes and returns where they begin. */
  reserve(count: number): number {
    const at = this.length;
    const end = at + count;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.length = end;
    return at;
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.reserve(2);
    this.#view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.#view.setUint32(at, value, true);
  }

  u53(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, () => `not a safe count: ${value}`);
    const at = this.reserve(8);
    this.#view.setUint32(at, value % TWO_32, true);
    this.#view.setUint32(at + 4, Math.floor(value / TWO_32), true);
  }

  f64(value: number): void {
    const at = this.reserve(8);
    this.#view.setFloat64(at, value, true);
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
    this.#view.setUint32(lengthAt, this.length - begin, true);
  }

  patchU8(at: number, value: number): void {
    this.bytes[at] = value;
  }

  patchU16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }

  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  patchU53(at: number, value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, () => `not a safe count: ${value}`);
    this.#view.setUint32(at, value % TWO_32, true);
    this.#view.setUint32(at + 4, Math.floor(value / TWO_32), true);
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
  readonly #view: DataView;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    assert(at >= 0 && at <= end && end <= bytes.length, 'a reader needs a range inside its bytes');
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u53(): number {
    const at = this.#take(8);
    const high = this.#view.getUint32(at + 4, true);
    if (high > 0x1f_ffff) throw new DecodeError(`the number at offset ${at} is above 2^53-1`, { at });
    return high * TWO_32 + this.#view.getUint32(at, true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
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
