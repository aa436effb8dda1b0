import { CommandFailure } from '../failure.ts';

/**
 * Keys and values are bytes. Text is shown as text where that loses nothing; other bytes as hexadecimal: in
 * JSON under `keyHex` and `valueHex` in place of `key` and `value`, in plain lines as `0x…`.
 */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The text whose UTF-8 these bytes are, or undefined if there is none. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** `00ff`, `0x00ff`, `00 ff`; throws for anything else. */
export function bytesOfHex(text: string, what: string): Uint8Array {
  const digits = text.replace(/^0x/i, '').replace(/\s+/g, '');
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) {
    throw new CommandFailure(
      `${what} "${text}" is not hexadecimal: write two of 0-9 a-f for each byte, like 00ff`,
    );
  }
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** UTF-8 of a text that has one: a lone surrogate would silently become another character. */
export function bytesOfText(text: string, what: string): Uint8Array {
  if (!text.isWellFormed()) {
    throw new CommandFailure(
      `${what} contains half a surrogate pair, which has no bytes in UTF-8: use hexadecimal`,
    );
  }
  return encoder.encode(text);
}

export interface RecordLike {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly version: number;
  readonly createVersion: number;
}

/** `{"key": …}` or `{"keyHex": …}`. */
export function jsonField(
  name: 'key' | 'value',
  bytes: Uint8Array,
  forceHex = false,
): Record<string, string> {
  const text = forceHex ? undefined : textOf(bytes);
  return text === undefined ? { [`${name}Hex`]: hexOf(bytes) } : { [name]: text };
}

export function jsonRecord(record: RecordLike, forceHex = false): Record<string, unknown> {
  return {
    ...jsonField('key', record.key, forceHex),
    ...jsonField('value', record.value, forceHex),
    version: record.version,
    createVersion: record.createVersion,
  };
}

/** One line for people: text as it is unless it would break the line or the terminal. */
export function shown(bytes: Uint8Array, forceHex = false): string {
  const text = forceHex ? undefined : textOf(bytes);
  if (text === undefined) return `0x${hexOf(bytes)}`;
  return /[\p{Cc}\u2028\u2029]/u.test(text) ? JSON.stringify(text) : text;
}
