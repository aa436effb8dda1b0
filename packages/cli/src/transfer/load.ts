import { failureOf } from '../failure.ts';
import { parseRecordLine } from './json-line.ts';
import type { Line } from './line-reader.ts';

/**
 * Writes records of a stream with many writes in flight and little memory. The order of lines is kept where it
 * shows: a line waits for an earlier one with the same key, so that the last line of a key wins.
 */

export interface LoadTarget {
  put(key: Uint8Array, value: Uint8Array): Promise<unknown>;
}

export interface LoadOptions {
  readonly continueOnError: boolean;
  readonly writesMax?: number;
  readonly bytesMax?: number;
  /** A line that was not stored, as soon as that is known. */
  readonly onFailure: (line: number, message: string) => void;
  readonly onProgress: (stored: number, endOffset: number) => void;
  /** True to stop early, e.g. after Ctrl-C. */
  readonly stopped?: () => boolean;
}

export interface LoadSummary {
  readonly stored: number;
  readonly failed: number;
  /** Keys and values of what was stored. */
  readonly bytes: number;
  /** False when it ended at a failure or was stopped before the end of the stream. */
  readonly complete: boolean;
  /** The failure to end with, when a write (and not a line) was at fault. */
  readonly writeFailure: unknown;
}

export async function loadLines(
  lines: AsyncIterable<Line>,
  target: LoadTarget,
  options: LoadOptions,
): Promise<LoadSummary> {
  const writesMax = options.writesMax ?? 2_048;
  const bytesMax = options.bytesMax ?? 16 * 1024 * 1024;
  const inFlight = new Map<string, Promise<void>>();
  let bytesInFlight = 0;
  let stored = 0;
  let failed = 0;
  let bytes = 0;
  let endOffset = 0;
  let complete = true;
  let writeFailure: unknown;
  let wake: (() => void) | undefined;

  const fail = (line: number, message: string): void => {
    failed += 1;
    options.onFailure(line, message);
  };
  const mustStop = (): boolean => (failed > 0 && !options.continueOnError) || options.stopped?.() === true;
  const someWriteEnded = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });

  const write = async (name: string, line: number, key: Uint8Array, value: Uint8Array): Promise<void> => {
    const size = key.length + value.length;
    try {
      await target.put(key, value);
      stored += 1;
      bytes += size;
    } catch (error) {
      writeFailure ??= error;
      fail(line, failureOf(error).report.message);
    }
    inFlight.delete(name);
    bytesInFlight -= size;
    options.onProgress(stored, endOffset);
    wake?.();
  };

  for await (const line of lines) {
    if (mustStop()) {
      complete = false;
      break;
    }
    endOffset = line.endOffset;
    if (line.text !== undefined && line.text.trim() === '') continue;
    let record: { readonly key: Uint8Array; readonly value: Uint8Array };
    try {
      if (line.text === undefined) throw new Error(line.fault);
      record = parseRecordLine(line.text);
    } catch (error) {
      fail(line.number, (error as Error).message);
      continue;
    }
    const name = Buffer.from(record.key).toString('latin1');
    const size = record.key.length + record.value.length;
    const mustWait = (): boolean =>
      inFlight.has(name) ||
      inFlight.size >= writesMax ||
      (inFlight.size > 0 && bytesInFlight + size > bytesMax);
    while (mustWait()) await someWriteEnded();
    if (mustStop()) {
      complete = false;
      break;
    }
    bytesInFlight += size;
    inFlight.set(name, write(name, line.number, record.key, record.value));
  }
  await Promise.all(inFlight.values());
  if (failed > 0 && !options.continueOnError) complete = false;
  return { stored, failed, bytes, complete, writeFailure };
}
