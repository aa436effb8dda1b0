import type { LogFields, LogLevel } from '@flotilla/ports';
import { logSinkContract, meterContract } from '@flotilla/ports/contract';
import { PinoSink } from './pino-sink.ts';
import { PromMeter } from './prom-meter.ts';

meterContract('PromMeter', () => {
  const meter = new PromMeter();
  return {
    meter,
    read: async (name, labels = {}) => {
      const shown = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
      const series = shown.length === 0 ? '' : `{${shown.join(',')}}`;
      for (const line of (await meter.expose()).split('\n')) {
        for (const full of [`flotilla_${name}${series} `, `flotilla_${name}_count${series} `]) {
          if (line.startsWith(full)) return Number(line.slice(full.length));
        }
      }
      return undefined;
    },
  };
});

logSinkContract('PinoSink', () => {
  const lines: string[] = [];
  const sink = new PinoSink({ level: 'debug', storeId: 's1', write: (line) => lines.push(line) });
  return {
    sink,
    read: () =>
      lines.map((line) => {
        const { level, event, time, store, ...fields } = JSON.parse(line) as LogFields & {
          level: LogLevel;
          event: string;
        };
        return { level, event, fields };
      }),
  };
});
