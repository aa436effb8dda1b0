/** Splits a byte stream into numbered lines with bounded memory. */

/** The largest value written as \u escapes, its key, and room to spare. */
export const LINE_BYTES_MAX: number = 8 * 1024 * 1024;

export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Undefined when the line cannot be taken as text; `fault` then says why. */
  readonly text: string | undefined;
  readonly fault: string;
  /** Bytes of the stream up to and including this line. */
  readonly endOffset: number;
}

const NEWLINE = 10;
const RETURN = 13;

export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax: number = LINE_BYTES_MAX,
): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  let offset = 0;
  let parts: Uint8Array[] = [];
  let length = 0;
  let tooLong = false;

  const finish = (last: Uint8Array): Line => {
    number += 1;
    const long = tooLong || length + last.length > lineBytesMax;
    const bytes = parts.length === 0 ? last : Buffer.concat([...parts, last]);
    parts = [];
    length = 0;
    tooLong = false;
    if (long) {
      const fault = `longer than ${lineBytesMax} bytes, more than any record needs`;
      return { number, text: undefined, fault, endOffset: offset };
    }
    const end = bytes.length > 0 && bytes[bytes.length - 1] === RETURN ? bytes.length - 1 : bytes.length;
    try {
      // Removes the mark that some editors put before the first line.
      return { number, text: decoder.decode(bytes.subarray(0, end)), fault: '', endOffset: offset };
    } catch {
      return { number, text: undefined, fault: 'not UTF-8', endOffset: offset };
    }
  };

  for await (const chunk of chunks) {
    let begin = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, begin);
      if (end === -1) break;
      offset += end + 1 - begin;
      yield finish(chunk.subarray(begin, end));
      begin = end + 1;
    }
    const rest = chunk.subarray(begin);
    offset += rest.length;
    length += rest.length;
    if (length > lineBytesMax) {
      // Nothing of it is kept; the line is told as a whole when it ends.
      tooLong = true;
      parts = [];
    } else if (rest.length > 0) {
      parts.push(rest);
    }
  }
  if (length > 0) yield finish(new Uint8Array(0));
}
