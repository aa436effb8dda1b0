import type { LogLevel } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';
import { PinoSink } from './pino-sink.ts';

function sinkOf(level: LogLevel = 'info') {
  const lines: Record<string, unknown>[] = [];
  const time = { now: 0 };
  const sink = new PinoSink({
    level,
    storeId: 's1',
    write: (line) => lines.push(JSON.parse(line)),
    nowMs: () => time.now,
  });
  return { lines, time, sink };
}

describe('log lines', () => {
  test('are JSON with time, level, event, store and fields', () => {
    const { lines, sink } = sinkOf();
    sink.log('info', 'leader-elected', { group: '1.4', term: 7 });
    expect(lines).toHaveLength(1);
    const { time, ...rest } = lines[0] as Record<string, unknown>;
    expect(rest).toEqual({ level: 'info', store: 's1', group: '1.4', term: 7, event: 'leader-elected' });
    expect(Number.isNaN(Date.parse(String(time)))).toBe(false);
  });

  test('of lower levels are left out', () => {
    const { lines, sink } = sinkOf('warn');
    sink.log('info', 'quiet', {});
    sink.log('warn', 'loud', {});
    expect(lines.map((line) => line.event)).toEqual(['loud']);
  });

  test('show errors by their messages and causes', () => {
    const { lines, sink } = sinkOf();
    sink.log('warn', 'dial-failed', { error: new Error('no answer', { cause: new Error('refused') }) });
    expect(lines[0]?.error).toBe('no answer: because refused');
  });

  test('of one event that repeats without end are thinned out and counted', () => {
    const { lines, sink, time } = sinkOf();
    for (let at = 0; at < 50; at++) sink.log('warn', 'again', { at });
    sink.log('warn', 'other', {});
    expect(lines).toHaveLength(21);
    time.now = 1_001;
    sink.log('warn', 'again', { at: 50 });
    expect(lines.at(-1)).toMatchObject({ at: 50, repeatsDropped: 30 });
  });

  test('of errors are never thinned out', () => {
    const { lines, sink } = sinkOf();
    for (let at = 0; at < 50; at++) sink.log('error', 'broken', { at });
    expect(lines).toHaveLength(50);
  });
});
