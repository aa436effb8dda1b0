import { CommandFailure } from '../failure.ts';
import { bytesOfHex, bytesOfText } from '../text/bytes.ts';

/**
 * One line of `load` and `dump`: {"key": text, "value": anything}. A value that is not a string is stored as
 * its JSON text: its tokens exactly as they stand in the line, without the white space between them. Going
 * through a JavaScript number would turn 12345678901234567890 into 12345678901234567000.
 * Bytes that are no UTF-8 stand as hexadecimal under `keyHex` and `valueHex`.
 */

export const KEY_BYTES_MAX = 1024;
export const VALUE_BYTES_MAX = 1_048_576;

export interface LineRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Throws {@link CommandFailure} that says what is wrong with the line, without its number. */
export function parseRecordLine(line: string): LineRecord {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line);
  } catch (error) {
    throw new CommandFailure(`not JSON: ${(error as Error).message}`);
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new CommandFailure('not a JSON object: write {"key": "…", "value": …}');
  }
  const key = keyBytes(fields);
  const value = valueBytes(fields, line);
  checkSize('key', key.length, KEY_BYTES_MAX);
  if (key.length === 0) throw new CommandFailure('the key is empty: a key has at least one byte');
  checkSize('value', value.length, VALUE_BYTES_MAX);
  return { key, value };
}

function checkSize(what: string, bytes: number, max: number): void {
  if (bytes > max) throw new CommandFailure(`the ${what} has ${bytes} bytes: at most ${max} fit`);
}

function keyBytes(fields: Record<string, unknown>): Uint8Array {
  if (typeof fields.key === 'string') return bytesOfText(fields.key, 'the key');
  if (fields.key !== undefined) throw new CommandFailure('"key" is not a string');
  if (typeof fields.keyHex === 'string') return bytesOfHex(fields.keyHex, '"keyHex"');
  throw new CommandFailure('there is no "key": write {"key": "…", "value": …}');
}

function valueBytes(fields: Record<string, unknown>, line: string): Uint8Array {
  if (typeof fields.value === 'string') return bytesOfText(fields.value, 'the value');
  if (fields.value !== undefined) return bytesOfText(jsonTextOf('value', fields, line), 'the value');
  if (typeof fields.valueHex === 'string') return bytesOfHex(fields.valueHex, '"valueHex"');
  throw new CommandFailure('there is no "value": write {"key": "…", "value": …}');
}

function jsonTextOf(name: string, fields: Record<string, unknown>, line: string): string {
  // Lines that our own kind wrote need no second look.
  if (JSON.stringify(fields) === line) return JSON.stringify(fields[name]);
  return memberText(line, name) ?? JSON.stringify(fields[name]);
}

/** The JSON text of a member of the object in `line`, which must be valid JSON; of several the last counts. */
export function memberText(line: string, name: string): string | undefined {
  let depth = 0;
  let at = 0;
  let text: string | undefined;
  /** The member that is being read at depth 1, once its colon was seen. */
  let member: string | undefined;
  let lastString = '';
  let parts: string[] = [];
  while (at < line.length) {
    const character = line[at] as string;
    if (character === ' ' || character === '\t' || character === '\n' || character === '\r') {
      at += 1;
      continue;
    }
    const end = tokenEnd(line, at);
    const token = line.slice(at, end);
    at = end;
    const closes = token === '}' || token === ']';
    if (depth === 1 && (token === ',' || closes)) {
      if (member === name) text = parts.join('');
      member = undefined;
      parts = [];
    } else if (member !== undefined) {
      parts.push(token);
    } else if (depth === 1 && token === ':') {
      member = JSON.parse(lastString) as string;
    } else if (depth === 1) {
      lastString = token;
    }
    if (token === '{' || token === '[') depth += 1;
    if (closes) depth -= 1;
  }
  return text;
}

function tokenEnd(line: string, begin: number): number {
  const first = line[begin] as string;
  if ('{}[],:'.includes(first)) return begin + 1;
  let at = begin + 1;
  if (first === '"') {
    while (line[at] !== '"') at += line[at] === '\\' ? 2 : 1;
    return at + 1;
  }
  while (at < line.length && !'{}[],:" \t\r\n'.includes(line[at] as string)) at += 1;
  return at;
}
