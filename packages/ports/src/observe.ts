/** What a component tells the people who run it. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** One line per change of state, none per request; `event` is a stable code such as `leader-elected`. */
export interface LogSink {
  log(level: LogLevel, event: string, fields: LogFields): void;
}

export interface Counter {
  add(count: number): void;
}
export interface Gauge {
  set(value: number): void;
}
export interface Histogram {
  /** Milliseconds, bytes or a count, as the name of the histogram says. */
  observe(value: number): void;
}

/** Registers metrics; the same name with the same labels gives the same metric. Labels must be bounded. */
export interface Meter {
  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): Counter;
  gauge(name: string, help: string, labels?: Readonly<Record<string, string>>): Gauge;
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: Readonly<Record<string, string>>,
  ): Histogram;
}
