import type { LogFields, LogLevel, LogSink, Meter } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';

/** What a meter shows of one series: the value of a counter or gauge, the number of observations of a histogram. */
export interface MeterHarness {
  readonly meter: Meter;
  read(name: string, labels?: Readonly<Record<string, string>>): Promise<number | undefined>;
}

export function meterContract(name: string, make: () => MeterHarness): void {
  describe(`${name} as a meter`, () => {
    test('counters add up, and the same name with the same labels is the same metric', async () => {
      const { meter, read } = make();
      meter.counter('frames_total', 'Frames.', { lane: 'bulk' }).add(2);
      meter.counter('frames_total', 'Frames.', { lane: 'bulk' }).add(3);
      meter.counter('frames_total', 'Frames.', { lane: 'consensus' }).add(1);
      expect(await read('frames_total', { lane: 'bulk' })).toBe(5);
      expect(await read('frames_total', { lane: 'consensus' })).toBe(1);
    });

    test('gauges show the last value', async () => {
      const { meter, read } = make();
      const gauge = meter.gauge('leaders', 'Leaders.');
      gauge.set(4);
      gauge.set(2);
      expect(await read('leaders')).toBe(2);
    });

    test('histograms count their observations', async () => {
      const { meter, read } = make();
      const histogram = meter.histogram('commit_ms', 'Commits.', [1, 10]);
      for (const value of [0.5, 5, 50]) histogram.observe(value);
      expect(await read('commit_ms')).toBe(3);
    });
  });
}

export interface LogSinkHarness {
  readonly sink: LogSink;
  read(): readonly { readonly level: LogLevel; readonly event: string; readonly fields: LogFields }[];
}

export function logSinkContract(name: string, make: () => LogSinkHarness): void {
  describe(`${name} as a log sink`, () => {
    test('keeps level, event and fields of each line, in order', () => {
      const { sink, read } = make();
      sink.log('info', 'leader-elected', { group: '1.4', term: 7 });
      sink.log('warn', 'slow-disk', { pendingMs: 3200 });
      sink.log('error', 'replica-quarantined', { group: '2.4', why: 'a checksum' });
      expect(read()).toEqual([
        { level: 'info', event: 'leader-elected', fields: { group: '1.4', term: 7 } },
        { level: 'warn', event: 'slow-disk', fields: { pendingMs: 3200 } },
        { level: 'error', event: 'replica-quarantined', fields: { group: '2.4', why: 'a checksum' } },
      ]);
    });

    test('takes fields that cannot be written as they are, and goes on', () => {
      const { sink, read } = make();
      const round: Record<string, unknown> = {};
      round.self = round;
      sink.log('info', 'odd', { round, nothing: undefined, big: 2n ** 70n });
      sink.log('info', 'after', {});
      expect(read().at(-1)?.event).toBe('after');
    });
  });
}
