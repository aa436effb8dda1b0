import type { Counter, Gauge, Histogram, LogFields, LogLevel, LogSink, Meter } from '@flotilla/ports';

export interface MemoryLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

/** Keeps the newest lines, for tests and for the story of a failed run. */
export class MemoryLogSink implements LogSink {
  readonly #linesMax: number;
  readonly #lines: MemoryLine[] = [];

  constructor(linesMax = 10_000) {
    this.#linesMax = linesMax;
  }

  get lines(): readonly MemoryLine[] {
    return this.#lines;
  }

  log(level: LogLevel, event: string, fields: LogFields): void {
    this.#lines.push({ level, event, fields });
    if (this.#lines.length > this.#linesMax) this.#lines.shift();
  }
}

/** Plain numbers by name and labels. A histogram shows how often it was asked. */
export class MemoryMeter implements Meter {
  readonly #values = new Map<string, number>();

  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    return this.#values.get(keyOf(name, labels));
  }

  counter(name: string, _help: string, labels: Readonly<Record<string, string>> = {}): Counter {
    return { add: (count) => this.#change(keyOf(name, labels), (before) => before + count) };
  }

  gauge(name: string, _help: string, labels: Readonly<Record<string, string>> = {}): Gauge {
    return { set: (value) => this.#change(keyOf(name, labels), () => value) };
  }

  histogram(
    name: string,
    _help: string,
    _buckets: readonly number[],
    labels: Readonly<Record<string, string>> = {},
  ): Histogram {
    return { observe: () => this.#change(keyOf(name, labels), (before) => before + 1) };
  }

  #change(key: string, next: (before: number) => number): void {
    this.#values.set(key, next(this.#values.get(key) ?? 0));
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  const parts = Object.keys(labels)
    .sort()
    .map((label) => `${label}=${labels[label]}`);
  return `${name}{${parts.join(',')}}`;
}
