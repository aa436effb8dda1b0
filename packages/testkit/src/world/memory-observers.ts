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
    const key = keyOf(name, labels);
    return { add: (count) => this.#add(key, count) };
  }

  gauge(name: string, _help: string, labels: Readonly<Record<string, string>> = {}): Gauge {
    const key = keyOf(name, labels);
    return { set: (value) => this.#values.set(key, value) };
  }

  histogram(
    name: string,
    _help: string,
    _buckets: readonly number[],
    labels: Readonly<Record<string, string>> = {},
  ): Histogram {
    const key = keyOf(name, labels);
    return { observe: () => this.#add(key, 1) };
  }

  #add(key: string, count: number): void {
    this.#values.set(key, (this.#values.get(key) ?? 0) + count);
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  const parts = Object.keys(labels)
    .sort()
    .map((label) => `${label}=${labels[label]}`);
  return `${name}{${parts.join(',')}}`;
}
