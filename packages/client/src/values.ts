import { limits } from '@flotilla/wire';
import { boundedRange, type KeyRange, prefixRange } from './core/index.ts';
import { InvalidArgumentError } from './errors.ts';

/** Keys and values as callers give and get them. */

/** Text stands for its UTF-8 bytes. Bytes are not copied: leave them alone until the call has settled. */
export type Bytes = string | Uint8Array;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Keys are short and mostly ASCII; for those a loop costs half of a call into the encoder. */
function encode(text: string): Uint8Array {
  if (text.length > 64) return encoder.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) return encoder.encode(text);
    bytes[at] = code;
  }
  return bytes;
}

export function bytesOf(given: Bytes, what: string): Uint8Array {
  if (typeof given === 'string') return encode(given);
  if (given instanceof Uint8Array) return given;
  throw new InvalidArgumentError(`${what} must be a string or a Uint8Array, not ${typeof given}`);
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function keyOf(given: Bytes): Uint8Array {
  const key = bytesOf(given, 'a key');
  if (key.length === 0) throw new InvalidArgumentError('a key must not be empty');
  if (key.length > limits.keyBytes) {
    const advice = 'use a shorter key, for example a hash of it';
    throw new InvalidArgumentError(
      `a key of ${key.length} bytes is over the limit of ${limits.keyBytes}: ${advice}`,
    );
  }
  return key;
}

export function valueBytes(given: Bytes, what = 'a value'): Uint8Array {
  const value = bytesOf(given, what);
  if (value.length > limits.valueBytes) {
    const advice = 'split it over several keys';
    throw new InvalidArgumentError(
      `${what} of ${value.length} bytes is over the limit of ${limits.valueBytes}: ${advice}`,
    );
  }
  return value;
}

export function wholeNumber(given: number, what: string, least: number): number {
  if (Number.isSafeInteger(given) && given >= least) return given;
  throw new InvalidArgumentError(`${what} must be a whole number of at least ${least}, not ${given}`);
}

const INT64_MAX = 9_223_372_036_854_775_807n;

/** The decimal text of an increment. */
export function incrementOf(by: number | bigint): Uint8Array {
  if (typeof by === 'number' && !Number.isSafeInteger(by)) {
    throw new InvalidArgumentError(
      `an increment must be a whole number, not ${by}: pass a bigint beyond 2^53`,
    );
  }
  if (typeof by === 'bigint' && (by > INT64_MAX || by < -INT64_MAX - 1n)) {
    throw new InvalidArgumentError(`an increment of ${by} does not fit 64 bits`);
  }
  return encoder.encode(String(by));
}

export interface RangeOptions {
  /** All keys that begin so. Not together with `from` or `to`. */
  readonly prefix?: Bytes;
  /** First key, inclusive. */
  readonly from?: Bytes;
  /** End, exclusive. */
  readonly to?: Bytes;
}

export function rangeOf(options: RangeOptions): KeyRange {
  const bound = (given: Bytes, what: string): Uint8Array => {
    const bytes = bytesOf(given, what);
    if (bytes.length <= limits.keyBytes) return bytes;
    throw new InvalidArgumentError(
      `${what} of ${bytes.length} bytes is over the limit of ${limits.keyBytes}`,
    );
  };
  if (options.prefix !== undefined) {
    if (options.from !== undefined || options.to !== undefined) {
      throw new InvalidArgumentError('give either a prefix, or from and to, not both');
    }
    const prefix = bound(options.prefix, 'a prefix');
    return prefix.length === 0 ? boundedRange() : prefixRange(prefix);
  }
  const from = options.from === undefined ? undefined : bound(options.from, 'the start of a range');
  const to = options.to === undefined ? undefined : bound(options.to, 'the end of a range');
  return boundedRange(from, to);
}

/** A record as it was read. */
export class KeyRecord {
  /** The key as text. For a key that is not UTF-8 use `keyBytes`. */
  readonly key: string;
  readonly keyBytes: Uint8Array;
  readonly value: Uint8Array;
  /** Grows with each change; what `ifVersion` compares. */
  readonly version: number;
  /** Version at which the key appeared. */
  readonly createVersion: number;

  constructor(key: string, keyBytes: Uint8Array, value: Uint8Array, version: number, createVersion: number) {
    this.key = key;
    this.keyBytes = keyBytes;
    this.value = value;
    this.version = version;
    this.createVersion = createVersion;
  }

  /** The value as UTF-8 text. */
  text(): string {
    return decoder.decode(this.value);
  }
}
