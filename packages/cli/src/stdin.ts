import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CommandFailure } from './failure.ts';
import type { Io } from './program.ts';

/** Files named on the command line; `-` is standard input. */

export const STANDARD_INPUT = '-';

/** A value fits into memory; a file that is larger than any value need not be read to the end. */
const VALUE_BYTES_MAX = 1_048_576;

export function openInput(file: string, io: Io): AsyncIterable<Uint8Array> {
  return file === STANDARD_INPUT ? io.stdin : createReadStream(file, { highWaterMark: 256 * 1024 });
}

/** Size of a regular file; 0 for anything whose end nobody knows. Throws if there is no such file. */
export async function inputBytes(file: string): Promise<number> {
  if (file === STANDARD_INPUT) return 0;
  const facts = await stat(file);
  return facts.isFile() ? facts.size : 0;
}

export async function readAll(file: string, io: Io): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of openInput(file, io)) {
    parts.push(part);
    bytes += part.length;
    if (bytes > VALUE_BYTES_MAX) {
      const name = file === STANDARD_INPUT ? 'standard input' : file;
      throw new CommandFailure(`${name} is larger than a value may be (${VALUE_BYTES_MAX} bytes)`);
    }
  }
  return new Uint8Array(Buffer.concat(parts));
}
