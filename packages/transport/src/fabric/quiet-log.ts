import type { Clock, LogFields, LogLevel, LogSink } from '@flotilla/ports';

const KEYS_MAX = 256;

/** Says the same thing about the same party only once in a while, however often it happens. */
export class QuietLog {
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #saidAt = new Map<string, number>();

  constructor(sink: LogSink, clock: Clock, intervalMs = 10_000) {
    this.#sink = sink;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  log(level: LogLevel, event: string, fields: LogFields): void {
    this.#sink.log(level, event, fields);
  }

  /** `about` tells cases apart that are to be said on their own. */
  seldom(about: string, level: LogLevel, event: string, fields: LogFields): void {
    const now = this.#clock.monoMs();
    const key = `${event} ${about}`;
    const said = this.#saidAt.get(key);
    if (said !== undefined && now - said < this.#intervalMs) return;
    this.#saidAt.delete(key);
    // Strangers choose what stands here, so it is bounded: the oldest goes first.
    if (this.#saidAt.size >= KEYS_MAX) this.#saidAt.delete(this.#saidAt.keys().next().value as string);
    this.#saidAt.set(key, now);
    this.#sink.log(level, event, fields);
  }
}
