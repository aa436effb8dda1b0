import { Prng } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { badHistories } from './bad-histories.fixture.ts';
import { CheckFailure } from './failure.ts';
import { goodHistories } from './good-histories.fixture.ts';
import { isUnknown, mayChange, type Operation, operationWords } from './history.ts';
import { parseHistory } from './history-text.ts';
import { checkKey, checkLinearizability } from './linearizability.ts';
import { BLANK, type RegisterState, step } from './register-model.ts';

function failureOf(run: () => void): CheckFailure | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof CheckFailure) return error;
    throw error;
  }
}

function verdict(operations: readonly Operation[], uniqueValues: boolean): boolean {
  return failureOf(() => checkKey('k', operations, { uniqueValues })) === undefined;
}

test('there are forty good and forty bad histories at least, each with a title of its own', () => {
  const titles = [...goodHistories, ...badHistories].map(({ title }) => title);
  expect(Math.min(goodHistories.length, badHistories.length)).toBeGreaterThanOrEqual(40);
  expect(new Set(titles).size).toBe(titles.length);
});

describe('good histories pass', () => {
  test.each(goodHistories)('$title', ({ text, repeats }) => {
    const operations = parseHistory(text);
    expect(
      failureOf(() => checkKey('k', operations, { uniqueValues: repeats !== true }))?.report(),
    ).toBeUndefined();
    expect(verdict(operations, false)).toBe(true);
  });
});

describe('bad histories are caught', () => {
  test.each(badHistories)('$title', ({ text, repeats }) => {
    const operations = parseHistory(text);
    expect(verdict(operations, repeats !== true)).toBe(false);
    expect(verdict(operations, false)).toBe(false);
  });
});

/** Tries every order: hopeless for long histories, beyond doubt for short ones. */
function bruteForce(operations: readonly Operation[]): boolean {
  const open = operations.filter(
    (each) => each.outcome.kind !== 'not-applied' && (mayChange(each) || !isUnknown(each)),
  );
  const place = (state: RegisterState, rest: readonly Operation[]): boolean => {
    if (rest.every(isUnknown)) return true;
    const firstAnswer = Math.min(
      ...rest.map((each) => (isUnknown(each) ? Number.POSITIVE_INFINITY : (each.respondedAt as number))),
    );
    return rest.some((each) => {
      if (each.invokedAt > firstAnswer) return false;
      const next = step(state, each.call, each.outcome);
      return (
        next !== undefined &&
        place(
          next,
          rest.filter((other) => other !== each),
        )
      );
    });
  };
  return place(BLANK, open);
}

/** Runs random clients against a real register, then perhaps lies about one answer. */
function randomHistory(random: Prng): Operation[] {
  const lines: string[] = [];
  let value: string | undefined;
  let version = 0;
  let next = 1;
  const clients = ['a', 'b', 'c', 'd'];
  const open = new Map<string, { apply: () => string; answer: string | undefined }>();
  for (let event = 0; event < 14; event++) {
    const client = clients[random.below(clients.length)] as string;
    const call = open.get(client);
    if (call === undefined) {
      const id = `${next++};`;
      const write = (to: string | undefined): string => {
        value = to;
        version += 1 + random.below(2);
        return `ok @${version}`;
      };
      const kinds: [string, () => string][] = [
        [`get k`, () => (value === undefined ? 'absent' : `= ${value} @${version}`)],
        [`put k ${id}`, () => write(id)],
        [`append k ${id}`, () => write((value ?? '') + id)],
        [`delete k`, () => (value === undefined ? 'ok @0' : write(undefined))],
        [`cas k none ${id}`, () => (value === undefined ? write(id) : `conflict @${version}`)],
        [
          `cas k @${version} ${id}`,
          ((expected: number) => () => {
            const actual = value === undefined ? 0 : version;
            return actual === expected ? write(id) : `conflict @${actual}`;
          })(version),
        ],
      ];
      const [words, apply] = kinds[random.below(kinds.length)] as [string, () => string];
      lines.push(`${client}> ${words}`);
      open.set(client, { apply, answer: undefined });
    } else if (call.answer === undefined && random.chance(0.5)) {
      call.answer = call.apply();
    } else {
      const dice = random.below(8);
      if (dice === 0) lines.push(`${client}?`);
      else if (dice === 1 && call.answer === undefined) lines.push(`${client}!`);
      else lines.push(`${client}< ${call.answer ?? call.apply()}`);
      open.delete(client);
    }
  }
  return parseHistory(lines.join('\n'));
}

function lie(operations: readonly Operation[], random: Prng): readonly Operation[] {
  const at = random.below(operations.length);
  const other = operations[random.below(operations.length)] as Operation;
  return operations.map((operation, index) => {
    if (index !== at || operation.call.kind !== 'get' || other.call.kind === 'get') return operation;
    if (!('value' in other.call)) return { ...operation, outcome: { kind: 'absent' } };
    return { ...operation, outcome: { kind: 'found', value: other.call.value } };
  });
}

test('ten thousand short histories, honest and not, are judged as by trying every order', () => {
  const random = new Prng(7);
  let bad = 0;
  for (let round = 0; round < 10_000; round++) {
    const honest = randomHistory(random);
    const operations = round % 2 === 0 ? honest : lie(honest, random);
    const truth = bruteForce(operations);
    if (round % 2 === 0 && !truth) expect(operations.map(operationWords)).toEqual('linearizable');
    if (!truth) bad++;
    for (const uniqueValues of [true, false]) {
      if (verdict(operations, uniqueValues) !== truth) expect(operations.map(operationWords)).toBe(truth);
    }
  }
  expect(bad).toBeGreaterThan(200);
});

test('a history that cannot be decided is a failure, not a pass', () => {
  const operations = parseHistory(
    [...Array.from({ length: 12 }, (_, at) => `c${at}> put k ${at}`), 'r> get k', 'r< = 3'].join('\n'),
  );
  const failure = failureOf(() => checkKey('k', operations, { uniqueValues: false, situationsMax: 50 }));
  expect(failure?.message).toContain('too large');
});

test('thirty appends that end together, some of them never, are no riddle', () => {
  const value = (count: number): string => Array.from({ length: count }, (_, at) => `${at};`).join('');
  const calls = Array.from({ length: 28 }, (_, at) => `c${at}> append k ${at};`);
  const answers = Array.from({ length: 28 }, (_, at) => (at % 7 === 3 ? `c${at}?` : `c${at}< ok @${at + 1}`));
  const reads = [5, 18, 28].flatMap((count) => ['r> get k', `r< = ${value(count)} @${count}`]);
  expect(verdict(parseHistory([...calls, ...reads, ...answers.reverse()].join('\n')), true)).toBe(true);
  const twice = [...calls, ...reads, 'r> get k', `r< = ${value(17)} @17`, ...answers];
  expect(verdict(parseHistory(twice.join('\n')), true)).toBe(false);
});

test('appends of unknown outcome that nobody looks at for long are no riddle', () => {
  const unknown = Array.from({ length: 9 }, (_, at) => [`u${at}> append k u${at};`, `u${at}?`]).flat();
  const known = Array.from({ length: 60 }, (_, at) => [
    `a> append k a${at};`,
    `a< ok @${10 + 2 * at}`,
  ]).flat();
  const value = Array.from({ length: 60 }, (_, at) =>
    at % 7 === 3 ? `a${at};u${(at - 3) / 7};` : `a${at};`,
  ).join('');
  const [seen = '', other = ''] = [value, value.replace('u3;', '').replace('a40;', 'u3;a40;')];
  const reads = (again: string): string[] => [
    'r> get k',
    `r< = ${seen} @500`,
    'r> get k',
    `r< = ${again} @500`,
  ];
  expect(verdict(parseHistory([...unknown, ...known, ...reads(seen)].join('\n')), true)).toBe(true);
  expect(verdict(parseHistory([...unknown, ...known, ...reads(other)].join('\n')), true)).toBe(false);
});

test('a long quiet history costs no more than its windows', () => {
  const events: string[] = [];
  for (let at = 1; at <= 5_000; at++) {
    events.push(`a> put k ${at}a`, `b> put k ${at}b`, `a< ok @${at * 2}`, `b< ok @${at * 2 + 1}`);
  }
  expect(verdict(parseHistory(events.join('\n')), true)).toBe(true);
});

test('the report names the answer that nothing explains and only the window around it', () => {
  const quiet = Array.from({ length: 50 }, (_, at) => [`a> put k old${at}`, `a< ok @${at + 1}`]).flat();
  const operations = parseHistory(
    [...quiet, 'a> put k new', 'a< ok @99', 'c> get k', 'b> get k', 'b< = old49', 'c< = new'].join('\n'),
  );
  const failure = failureOf(() => checkKey('k', operations, { uniqueValues: true }));
  expect(failure?.message).toContain('b [#103, …]'.replace('…', '#104'));
  expect(failure?.message).toContain('found "old49"');
  expect(failure?.story.join('\n')).toContain('"new" with version 99');
  expect(failure?.story.length).toBeLessThan(12);
  expect(failure?.report()).not.toContain('old3');
});

test('keys are judged one by one, and a scan is a read of every key in its range', () => {
  const operations = parseHistory('a> put x1 1\na< ok @1\nb> put x2 2\nb< ok @2\nc> put y 3\nc< ok @1');
  const scan = { client: 's', prefix: 'x', invokedAt: 20, respondedAt: 21, limited: false };
  const whole = [
    { key: 'x1', value: '1', version: 1 },
    { key: 'x2', value: '2' },
  ];
  const check = (records: typeof whole): CheckFailure | undefined =>
    failureOf(() => checkLinearizability(operations, [{ ...scan, records }], { uniqueValues: true }));
  expect(check(whole)).toBeUndefined();
  expect(check(whole.slice(1))?.message).toContain('key x1');
});
