import { describe, expect, test } from 'vitest';
import { PromMeter } from './prom-meter.ts';

async function linesOf(meter: PromMeter): Promise<string[]> {
  return (await meter.expose()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('metrics for Prometheus', () => {
  test('counters add up, gauges keep the last value, labels part series', async () => {
    const meter = new PromMeter();
    meter.counter('flotilla_frames_total', 'Frames.', { lane: 'bulk' }).add(2);
    meter.counter('flotilla_frames_total', 'Frames.', { lane: 'bulk' }).add(3);
    meter.counter('flotilla_frames_total', 'Frames.', { lane: 'consensus' }).add(1);
    const gauge = meter.gauge('leaders', 'Groups led here.');
    gauge.set(4);
    gauge.set(2);
    expect(await linesOf(meter)).toEqual([
      'flotilla_frames_total{lane="bulk"} 5',
      'flotilla_frames_total{lane="consensus"} 1',
      'flotilla_leaders 2',
    ]);
  });

  test('two scrapes tell the same number', async () => {
    const meter = new PromMeter();
    meter.counter('flotilla_turns_total', 'Turns.').add(7);
    await linesOf(meter);
    expect(await linesOf(meter)).toEqual(['flotilla_turns_total 7']);
  });

  test('histograms count into their buckets', async () => {
    const meter = new PromMeter();
    const histogram = meter.histogram('commit_ms', 'Time of a commit.', [1, 10]);
    histogram.observe(0.5);
    histogram.observe(5);
    expect(await linesOf(meter)).toContain('flotilla_commit_ms_bucket{le="10"} 2');
    expect(await linesOf(meter)).toContain('flotilla_commit_ms_count 2');
  });

  test('series beyond the limit are left out, and that is told once', async () => {
    const full: string[] = [];
    const meter = new PromMeter({ seriesMax: 1, onFull: (name) => full.push(name) });
    meter.gauge('first', 'Kept.').set(1);
    meter.gauge('second', 'Left out.').set(1);
    meter.counter('third', 'Left out.').add(1);
    meter.histogram('fourth', 'Left out.', [1]).observe(1);
    expect(await linesOf(meter)).toEqual(['flotilla_first 1']);
    expect(full).toEqual(['flotilla_second']);
  });
});
