import { describe, expect, test } from 'vitest';
import type { ScanObservation } from './history.ts';
import { parseHistory } from './history-text.ts';
import { checkScans } from './scans.ts';

const writes = parseHistory(`
  a> put x1 1
  a< ok
  a> put x2 2
  a< ok
  a> put x3 3
  a< ok
  a> delete x3
  a< ok
  b> put x4 4
  b?
  c> delete x2
  c?
  a> put y1 5
  a< ok
`);

function scan(keys: string, options: Partial<ScanObservation> = {}): ScanObservation {
  const records = keys
    .split(' ')
    .filter((key) => key !== '')
    .map((key) => ({ key, value: '' }));
  return { client: 's', prefix: 'x', invokedAt: 100, respondedAt: 200, records, limited: false, ...options };
}

describe('scans', () => {
  const good: [string, ScanObservation][] = [
    ['all that is there', scan('x1 x2 x4')],
    ['without the unknown write', scan('x1 x2')],
    ['after the unknown deletion', scan('x1 x4')],
    ['cut at its limit', scan('x1', { limited: true })],
    ['cut at a limit of nothing', scan('', { limited: true })],
    ['before anything was written', scan('', { invokedAt: -2, respondedAt: -1 })],
    ['during the first write', scan('', { invokedAt: -2, respondedAt: 1.5 })],
    ['during the deletion, still there', scan('x1 x2 x3', { invokedAt: 6.5, respondedAt: 7.5 })],
    ['during the deletion, already gone', scan('x1 x2', { invokedAt: 6.5, respondedAt: 7.5 })],
  ];
  test.each(good)('%s', (_title, observation) => {
    checkScans(writes, [observation]);
  });

  const bad: [string, ScanObservation, string][] = [
    ['a key is missing', scan('x2 x4'), 'x1 is missing'],
    ['a key is missing below the limit', scan('x2', { limited: true }), 'x1 is missing'],
    ['a deleted key is listed', scan('x1 x2 x3'), 'x3 was absent all the while'],
    ['a key twice', scan('x1 x1 x2'), 'x1 is listed twice'],
    ['out of order', scan('x2 x1'), 'x1 comes after x2'],
    ['a key out of its range', scan('x1 x2 y1'), 'y1 is not in its range'],
    ['a key that nobody wrote', scan('x1 x2 x9'), 'x9 was never written'],
    [
      'a key before its time',
      scan('x1 x2', { invokedAt: -2, respondedAt: -1 }),
      'x1 was absent all the while',
    ],
  ];
  test.each(bad)('%s', (_title, observation, message) => {
    expect(() => checkScans(writes, [observation])).toThrow(message);
  });
});
