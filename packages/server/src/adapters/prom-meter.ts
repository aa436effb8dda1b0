import { assert } from '@flotilla/base';
import type { Counter, Gauge, Histogram, Meter } from '@flotilla/ports';
import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';

/**
 * Meter for Prometheus. Counting is an addition to a plain number; prom-client sees the numbers only while a
 * scrape runs. The number of series is bounded, because labels that grow without end (a group for each id ever
 * used) would otherwise eat the memory and the event loop of the store.
 */

type Labels = Readonly<Record<string, string>>;

interface Series {
  readonly labels: Labels;
  value: number;
}

interface Family {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly series: Map<string, Series>;
  readonly histogram: PromHistogram | undefined;
}

const ignoring: Counter & Gauge & Histogram = { add: () => {}, set: () => {}, observe: () => {} };

export interface PromMeterOptions {
  readonly seriesMax?: number;
  /** Called once, as the first series is left out. */
  readonly onFull?: (name: string) => void;
}

export class PromMeter implements Meter {
  readonly #registry = new Registry();
  readonly #families = new Map<string, Family>();
  readonly #seriesMax: number;
  readonly #onFull: (name: string) => void;
  #seriesCount = 0;
  #full = false;

  constructor(options: PromMeterOptions = {}) {
    this.#seriesMax = options.seriesMax ?? 2_000;
    this.#onFull = options.onFull ?? (() => {});
  }

  /** Adds the metrics of the process: memory, CPU, file descriptors, delay of the event loop. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    const series = this.#series('counter', name, help, labels, []);
    if (series === undefined) return ignoring;
    return {
      add: (count) => {
        series.value += count;
      },
    };
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    const series = this.#series('gauge', name, help, labels, []);
    if (series === undefined) return ignoring;
    return {
      set: (value) => {
        series.value = value;
      },
    };
  }

  histogram(name: string, help: string, buckets: readonly number[], labels: Labels = {}): Histogram {
    const series = this.#series('histogram', name, help, labels, buckets);
    const histogram = this.#families.get(fullName(name))?.histogram;
    if (series === undefined || histogram === undefined) return ignoring;
    const child = histogram.labels({ ...labels });
    return { observe: (value) => child.observe(value) };
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of a scrape. */
  expose(): Promise<string> {
    return this.#registry.metrics();
  }

  #series(
    kind: Family['kind'],
    name: string,
    help: string,
    labels: Labels,
    buckets: readonly number[],
  ): Series | undefined {
    const full = fullName(name);
    const labelNames = Object.keys(labels);
    const key = JSON.stringify(labels, [...labelNames].sort());
    const known = this.#families.get(full);
    const found = known?.series.get(key);
    if (found !== undefined) return found;
    if (this.#seriesCount >= this.#seriesMax) {
      if (!this.#full) this.#onFull(full);
      this.#full = true;
      return undefined;
    }
    const family = known ?? this.#family(kind, full, help, labelNames, buckets);
    assert(family.kind === kind, () => `${full} is a ${family.kind}, not a ${kind}`);
    const series: Series = { labels, value: 0 };
    family.series.set(key, series);
    this.#seriesCount += 1;
    return series;
  }

  #family(
    kind: Family['kind'],
    name: string,
    help: string,
    labelNames: string[],
    buckets: readonly number[],
  ): Family {
    const series = new Map<string, Series>();
    const registers = [this.#registry];
    let histogram: PromHistogram | undefined;
    if (kind === 'histogram') {
      histogram = new PromHistogram({ name, help, labelNames, registers, buckets: [...buckets] });
    } else if (kind === 'counter') {
      new PromCounter({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          for (const { labels, value } of series.values()) this.inc({ ...labels }, value);
        },
      });
    } else {
      new PromGauge({
        name,
        help,
        labelNames,
        registers,
        collect() {
          for (const { labels, value } of series.values()) this.set({ ...labels }, value);
        },
      });
    }
    const family: Family = { kind, series, histogram };
    this.#families.set(name, family);
    return family;
  }
}

/** One prefix for everything that is ours. */
function fullName(name: string): string {
  return name.startsWith('flotilla_') ? name : `flotilla_${name}`;
}
