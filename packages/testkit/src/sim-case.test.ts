import { describe, expect, test } from 'vitest';
import { drawSchedule } from './schedule.ts';
import { caseOptions, caseText, readCase, type SimCase } from './sim-case.ts';
import { faultKinds } from './world/faults.ts';

const options = { seed: 9, seconds: 60, movesMs: 700, clients: 2, workersPerClient: 4 };
const found = { story: 'for this test', checker: 'leases', message: 'it broke', commit: 'abc1234' };

/** A schedule with every kind of fault in it. */
const schedule = drawSchedule({ ...options, faults: faultKinds });
const whole: SimCase = { found, options, schedule };

test('a case is the same after it was written and read', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const each: SimCase = { ...whole, schedule: drawSchedule({ seed, seconds: 30, movesMs: 500 }) };
    expect(readCase(caseText(each))).toEqual(each);
  }
});

test('a case has an action on each line', () => {
  const lines = caseText(whole)
    .split('\n')
    .filter((line) => line.includes('"atMs"'));
  expect(lines.length).toBe(schedule.founding.length + schedule.faults.length);
});

test('the run of a case is that of its options with its schedule', () => {
  expect(caseOptions(whole)).toEqual({ ...options, schedule });
});

describe('a case that is wrong is refused with the place of the mistake', () => {
  type Json = Record<string, unknown>;
  const fault = { atMs: 5, kind: 'crash', strike: 'crash 1', store: 's1' };
  const change = (at: 'found' | 'options' | 'schedule', fields: Json): string =>
    JSON.stringify({ ...whole, [at]: { ...whole[at], ...fields } });
  const faults = (...actions: readonly Json[]): string => change('schedule', { faults: actions });
  const shape = (fields: Json): string => change('schedule', { shape: { ...schedule.shape, ...fields } });

  const wrong: [string, string, string][] = [
    ['no JSON', '{', 'this is no JSON'],
    ['no object', '7', 'an object is wanted, 7 stands there'],
    ['a strange field', change('options', { sed: 1 }), 'options: there is no field "sed"'],
    ['a seed that is none', change('options', { seed: -1 }), 'options.seed: a whole number from 0'],
    ['no seconds', change('options', { seconds: undefined }), 'options.seconds: a whole number from 1'],
    ['a story that is none', change('found', { story: 3 }), 'found.story: a text is wanted, 3 stands there'],
    ['too many stores', shape({ stores: 99 }), 'schedule.shape.stores: a whole number from 1 to 9'],
    ['a pause below nothing', shape({ thinkMs: -4 }), 'schedule.shape.thinkMs: a number from 0'],
    ['no pause at all', shape({ operatorPauseMs: 0 }), 'schedule.shape.operatorPauseMs: a number from 1'],
    ['strange tuning', shape({ moveTuning: { x: 1 } }), 'schedule.shape.moveTuning: there is no field "x"'],
    ['faults that are no list', change('schedule', { faults: {} }), 'schedule.faults: a list is wanted'],
    [
      'an unknown kind',
      faults({ ...fault, kind: 'flood' }),
      'schedule.faults[0].kind: "flood" is none of crash',
    ],
    [
      'an unknown store',
      faults({ ...fault, store: 's77' }),
      'schedule.faults[0].store: there is no store "s77"',
    ],
    [
      'a missing field',
      faults(fault, { ...fault, store: undefined }),
      'schedule.faults[1].store: a text is wanted',
    ],
    ['a field of another kind', faults({ ...fault, gid: 4 }), 'schedule.faults[0]: there is no field "gid"'],
    [
      'actions out of order',
      faults(fault, { ...fault, atMs: 4 }),
      'schedule.faults[1].atMs: 4 comes after 5',
    ],
    [
      'a probability beyond one',
      faults({ atMs: 1, strike: 'x', kind: 'damage', probability: 2 }),
      'schedule.faults[0].probability: a probability from 0 to 1',
    ],
    [
      'a clock that stands still',
      faults({ atMs: 1, strike: 'x', kind: 'drift', store: 's1', factor: 0 }),
      'schedule.faults[0].factor: a number from 0.6 is wanted, 0 stands there',
    ],
    [
      'a clock that races',
      faults({ atMs: 1, strike: 'x', kind: 'drift', store: 's1', factor: 3 }),
      'schedule.faults[0].factor: a clock goes at 0.6 to 1.8 of its speed, not at 3',
    ],
    [
      'directions that are no texts',
      faults({ atMs: 1, strike: 'x', kind: 'cut', name: 'x', directions: ['s1>s2', 4] }),
      'schedule.faults[0].directions[1]: a text is wanted, 4 stands there',
    ],
    [
      'a frozen store that is none',
      change('schedule', { frozen: [{ store: 's77', harm: 'pause' }] }),
      'schedule.frozen[0].store: "s77" is none of s1',
    ],
    [
      'a rare branch that is always taken',
      change('schedule', { rare: { 'apply-later': 1 } }),
      'schedule.rare.apply-later: a rare branch has a chance of 0.5 at most, not 1',
    ],
    [
      'a rare point that is none',
      change('schedule', { rare: { x: 1 } }),
      'schedule.rare: there is no field "x"',
    ],
  ];
  test.each(wrong)('%s', (_title, text, message) => {
    expect(() => readCase(text)).toThrow(message);
  });
});
