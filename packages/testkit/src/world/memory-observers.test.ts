import { logSinkContract, meterContract } from '@flotilla/ports/contract';
import { expect, test } from 'vitest';
import { MemoryLogSink, MemoryMeter } from './memory-observers.ts';

meterContract('MemoryMeter', () => {
  const meter = new MemoryMeter();
  return { meter, read: async (name, labels) => meter.value(name, labels) };
});

logSinkContract('MemoryLogSink', () => {
  const sink = new MemoryLogSink();
  return { sink, read: () => sink.lines };
});

test('a memory log keeps its newest lines only', () => {
  const sink = new MemoryLogSink(3);
  for (let at = 0; at < 5; at++) sink.log('info', `event-${at}`, {});
  expect(sink.lines.map((line) => line.event)).toEqual(['event-2', 'event-3', 'event-4']);
});
