import type { LogFields, LogLevel, LogSink } from '@flotilla/ports';
import { destination, type Logger, pino, stdTimeFunctions } from 'pino';

/** Lines of one event beyond this in one second are counted and not written. */
const REPEATS_MAX = 20;
const REPEAT_WINDOW_MS = 1_000;

interface Window {
  endsAt: number;
  written: number;
  dropped: number;
}

export interface PinoSinkOptions {
  readonly level: LogLevel;
  readonly storeId: string;
  /** Takes finished lines; default: standard error, written at once, so that nothing is lost at an exit. */
  readonly write?: (line: string) => void;
  readonly nowMs?: () => number;
}

/**
 * JSON lines on standard error: time, level, event code, store, and the fields of the event. An event that
 * repeats without end, say a peer that reconnects in a loop, is thinned out, so that the log stays readable
 * and the disk free.
 */
export class PinoSink implements LogSink {
  readonly #logger: Logger;
  readonly #nowMs: () => number;
  readonly #windows = new Map<string, Window>();

  constructor(options: PinoSinkOptions) {
    const { write } = options;
    const stream = write === undefined ? destination({ fd: 2, sync: true }) : { write };
    this.#logger = pino(
      {
        level: options.level,
        base: { store: options.storeId },
        messageKey: 'event',
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      stream,
    );
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  log(level: LogLevel, event: string, fields: LogFields): void {
    if (!this.#logger.isLevelEnabled(level)) return;
    const dropped = level === 'error' ? 0 : this.#admit(event);
    if (dropped === undefined) return;
    const rest = plain(fields);
    this.#logger[level](dropped === 0 ? rest : { ...rest, repeatsDropped: dropped }, event);
  }

  /** How many lines of this event were dropped before this one; undefined to drop this one too. */
  #admit(event: string): number | undefined {
    const now = this.#nowMs();
    let window = this.#windows.get(event);
    if (window === undefined || now >= window.endsAt) {
      const dropped = window?.dropped ?? 0;
      window = { endsAt: now + REPEAT_WINDOW_MS, written: 1, dropped: 0 };
      this.#windows.set(event, window);
      return dropped;
    }
    if (window.written < REPEATS_MAX) {
      window.written += 1;
      return 0;
    }
    window.dropped += 1;
    return undefined;
  }
}

/** An error becomes its message with those of its causes: a log line is no place for stack traces. */
export function errorText(error: unknown): string {
  const texts: string[] = [];
  let at: unknown = error;
  while (at instanceof Error && texts.length < 5) {
    texts.push(at.message === '' ? at.name : at.message);
    at = at.cause;
  }
  if (texts.length === 0) texts.push(String(error));
  return texts.join(': because ');
}

function plain(fields: LogFields): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    // `event` is the name of the line itself.
    const key = name === 'event' ? 'eventField' : name;
    result[key] = value instanceof Error ? errorText(value) : value;
  }
  return result;
}
