import { hexEncode, Prng, Xxh64 } from '@flotilla/base';
import { MoveStep } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { GroupKind } from './keys.ts';
import { MovePair } from './testing/move-pair.ts';
import { END, type MoveReference, type PlainItem, type PlainStep } from './testing/move-reference.ts';
import { recordName, rowName, sumOf } from './testing/plain-items.ts';
import { PREFIX } from './testing/rig.ts';

// Every step in every state, with ids below, equal to and above those that are there: what the group does is
// compared with a reference that was written from the tables of the protocol alone.

const TARGET = 9;
/** The move that the states below are about; another one came before. */
const M = 20;
const EARLIER = 10;

const A = recordName('a');
const M_KEY = recordName('m');
const Z = recordName('z');
const ROW = rowName(1);

function gone(name: string, revision: number): PlainItem {
  return { name, revision, body: undefined };
}

function item(name: string, revision: number, body = 'value'): PlainItem {
  return { name, revision, body };
}

function page(
  moveId: number,
  cursor: string,
  view: number,
  next: string | undefined,
  items: PlainItem[],
): PlainStep {
  const isLast = next === undefined;
  const head = { moveId, shard: 0, isDamaged: false, cursor, view, next: next ?? '', isLast };
  return { step: MoveStep.importChunk, moveId, page: { ...head, items } };
}

function delta(moveId: number, from: number, to: number, items: PlainItem[]): PlainStep {
  return {
    step: MoveStep.importDelta,
    moveId,
    delta: { moveId, shard: 0, isDamaged: false, from, to, items },
  };
}

const emptyTo = (moveId: number, epoch = 1): PlainStep => ({ step: MoveStep.activateEmpty, moveId, epoch });
const exportTo = (moveId: number, epoch = 2): PlainStep => ({ step: MoveStep.beginExport, moveId, epoch });
const importBy = (moveId: number, base: number): PlainStep => ({
  step: MoveStep.beginImport,
  moveId,
  epoch: 2,
  base,
});
const freezeBy = (moveId: number, pos: number): PlainStep => ({
  step: MoveStep.freeze,
  moveId,
  epoch: 2,
  pos,
  target: TARGET,
});
const simply = (
  step: typeof MoveStep.cancel | typeof MoveStep.forget | typeof MoveStep.abort,
  moveId: number,
): PlainStep => ({
  step,
  moveId,
});

const FIRST = page(M, '', 5, M_KEY, [item(A, 3)]);
const LAST = page(M, M_KEY, 6, undefined, [item(M_KEY, 4), item(Z, 6), item(ROW, 6)]);

type Act = PlainStep | 'write' | 'big write';

/** How each state comes about. */
const STATES: Readonly<Record<string, readonly Act[]>> = {
  'never here': [],
  'absent, its fence raised by an abort': [simply(MoveStep.abort, M)],
  'absent, after all was forgotten': [
    emptyTo(EARLIER),
    'write',
    exportTo(M),
    freezeBy(M, 1),
    simply(MoveStep.forget, M),
  ],
  'absent, after digests that differ': [
    importBy(M, 5),
    FIRST,
    LAST,
    { step: MoveStep.activate, moveId: M, revision: 5, time: 7, digests: { records: 1n, rows: 1n } },
  ],
  'serving since its first assignment': [emptyTo(M), 'write'],
  'serving, after a cancel': [emptyTo(EARLIER), 'write', exportTo(M), 'write', simply(MoveStep.cancel, M)],
  'serving, with an export and no change': [emptyTo(EARLIER), 'write', 'write', exportTo(M)],
  'serving, with an export and changes': [emptyTo(EARLIER), 'write', 'write', exportTo(M), 'write', 'write'],
  'serving, with much open': [
    emptyTo(EARLIER),
    'write',
    exportTo(M),
    'big write',
    'write',
    'big write',
    'write',
  ],
  'serving, with a trimmed export': [
    emptyTo(EARLIER),
    'write',
    exportTo(M),
    'write',
    'write',
    'write',
    { step: MoveStep.trimExport, moveId: M, to: 3 },
  ],
  'serving, with an export, and an earlier move cancelled late': [
    emptyTo(EARLIER),
    'write',
    exportTo(M),
    'write',
    simply(MoveStep.cancel, M - 1),
  ],
  frozen: [emptyTo(EARLIER), 'write', exportTo(M), 'write', freezeBy(M, 1)],
  'frozen by an earlier move, its fence raised': [
    emptyTo(EARLIER),
    'write',
    exportTo(15),
    freezeBy(15, 1),
    simply(MoveStep.abort, M),
  ],
  'importing, at the start': [importBy(M, 5)],
  'importing, half copied': [importBy(M, 5), FIRST],
  'importing, half copied, changes taken': [
    importBy(M, 5),
    FIRST,
    delta(M, 5, 6, [item(A, 6), item(Z, 6), item(ROW, 6)]),
  ],
  'importing, whole': [importBy(M, 5), FIRST, LAST],
  'importing, whole, changes taken': [
    importBy(M, 5),
    FIRST,
    LAST,
    delta(M, 5, 9, [gone(A, 8), gone(Z, 2), item(ROW, 9)]),
  ],
  'importing, over a frozen copy': [
    emptyTo(EARLIER),
    'write',
    exportTo(15),
    'write',
    freezeBy(15, 1),
    importBy(M, 2),
    page(M, '', 2, M_KEY, [item(A, 2)]),
  ],
  'importing, an earlier move aborted late': [importBy(M, 5), simply(MoveStep.abort, M - 1)],
  'serving what was imported': [
    importBy(M, 6),
    FIRST,
    page(M, '', 6, undefined, [item(A, 3)]),
    {
      step: MoveStep.activate,
      moveId: M,
      revision: 6,
      time: 1_500_000,
      digests: sumOf(new Map([[A, item(A, 3)]])),
    },
    'write',
  ],
};

/** Every step that could matter to a shard as the reference sees it. */
function* variants(reference: MoveReference, moveId: number): Generator<PlainStep> {
  const { revision, exported, staged } = reference;
  const r0 = exported?.r0 ?? 0;
  for (const epoch of [1, 2, 3]) {
    yield emptyTo(moveId, epoch);
    yield exportTo(moveId, epoch);
  }
  for (const to of new Set([0, r0, r0 + 1, revision, revision + 1])) {
    yield { step: MoveStep.trimExport, moveId, to };
  }
  for (const pos of new Set([
    0,
    Math.max(0, r0 - 1),
    r0,
    Math.max(0, revision - 1),
    revision,
    revision + 1,
  ])) {
    yield freezeBy(moveId, pos);
  }
  yield { step: MoveStep.freeze, moveId, epoch: 3, pos: revision, target: TARGET };
  yield { step: MoveStep.freeze, moveId, epoch: 1, pos: revision, target: TARGET };
  for (const step of [MoveStep.cancel, MoveStep.forget, MoveStep.abort] as const) yield simply(step, moveId);

  const pos = Math.max(1, staged?.pos ?? 5);
  for (const base of new Set([0, pos - 1, pos, pos + 1])) yield importBy(moveId, base);
  for (const cursor of new Set(['', M_KEY, staged?.cursor ?? Z, END])) {
    for (const view of [pos - 1, pos, pos + 3]) {
      const names = [A, M_KEY, Z, ROW].filter((name) => name >= cursor);
      yield page(
        moveId,
        cursor,
        view,
        undefined,
        names.map((name) => item(name, pos)),
      );
      if (names[1] !== undefined) yield page(moveId, cursor, view, names[1], [item(names[0] ?? A, pos)]);
    }
  }
  const changes = [item(A, pos + 1), gone(M_KEY, pos), gone(Z, pos + 2), item(ROW, pos + 2)];
  for (const from of [pos - 1, pos, pos + 1]) {
    for (const to of [pos, pos + 1, pos + 2]) if (from <= to) yield delta(moveId, from, to, changes);
  }
  yield delta(moveId, pos, pos + 1, [item(A, 1, 'older'), item(M_KEY, 1, 'older'), item(Z, 1), item(ROW, 1)]);
  yield delta(moveId, pos, pos + 1, [gone(A, 1), gone(M_KEY, 1), gone(ROW, 1), gone(recordName('b'), 1)]);
  yield* amiss(moveId, staged?.cursor ?? '', pos);
  const right = sumOf(reference.items);
  for (const final of [pos, pos + 1]) {
    for (const digests of [
      right,
      { ...right, records: right.records ^ 1n },
      { ...right, rows: right.rows ^ 1n },
    ]) {
      yield { step: MoveStep.activate, moveId, revision: final, time: 77, digests };
    }
  }
}

/** Pieces that fit but for one thing. */
function* amiss(moveId: number, cursor: string, pos: number): Generator<PlainStep> {
  const fitting = { moveId, shard: 0, isDamaged: false };
  const pages = { cursor, view: pos, next: '', isLast: true, items: [item(recordName('zz'), pos)] };
  const deltas = { from: pos, to: pos + 1, items: [item(A, pos + 1)] };
  for (const wrong of [{ moveId: moveId + 1 }, { moveId: moveId - 1 }, { shard: 1 }, { isDamaged: true }]) {
    yield { step: MoveStep.importChunk, moveId, page: { ...fitting, ...pages, ...wrong } };
    yield { step: MoveStep.importDelta, moveId, delta: { ...fitting, ...deltas, ...wrong } };
  }
}

function arrange(acts: readonly Act[]): MovePair {
  const pair = new MovePair();
  for (const act of acts) {
    if (act === 'write' || act === 'big write') pair.write(act === 'big write');
    else pair.step(act);
  }
  return pair;
}

function compare(pair: MovePair, why: string): void {
  const { actual, expected } = pair.states();
  expect(actual, why).toEqual(expected);
}

function stepAndCompare(pair: MovePair, step: PlainStep, why: string): void {
  const { actual, expected } = pair.step(step);
  expect(actual, why).toEqual(expected);
  compare(pair, why);
}

/** Hash of all stored bytes but the group's own record, which holds the highest stamp and may go on. */
function fingerprint(pair: MovePair): string {
  const { rig } = pair;
  rig.group.flush();
  const hasher = new Xxh64();
  let text = '';
  for (const [key, value] of rig.store.dump(PREFIX)) {
    if (key[0] === 0xff && key[10] === GroupKind.group) continue;
    hasher.hash(value);
    text += `${hexEncode(key)} ${hasher.high} ${hasher.low}\n`;
  }
  return text;
}

describe.each(Object.entries(STATES))('a shard that is %s', (name, acts) => {
  test('came to be as the reference says', () => {
    compare(arrange(acts), name);
  });

  test.each([EARLIER, 15, M - 1, M, M + 1])('takes each step of move %i as the tables say', (moveId) => {
    const steps = [...variants(arrange(acts).reference, moveId)];
    expect(steps.length).toBeGreaterThan(45);
    let pair = arrange(acts);
    let before = stateText(pair);
    let bytes = fingerprint(pair);
    for (const step of steps) {
      const why = `${name}: ${JSON.stringify(step, plain)}`;
      stepAndCompare(pair, step, why);
      if (stateText(pair) === before) {
        // What does not fit changes not one byte.
        expect(fingerprint(pair), why).toEqual(bytes);
        continue;
      }
      stepAndCompare(pair, step, `again: ${why}`);
      pair.restart();
      stepAndCompare(pair, step, `after a restart: ${why}`);
      pair.write(false);
      compare(pair, `written after: ${why}`);
      pair = arrange(acts);
      before = stateText(pair);
      bytes = fingerprint(pair);
    }
  });
});

function stateText(pair: MovePair): string {
  return JSON.stringify(pair.states().expected, plain);
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value;
}

describe('steps in any order', () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed + 1))(
    'are taken as the tables say (seed %i)',
    (seed) => {
      const random = new Prng(seed);
      const pair = new MovePair();
      let newest = 10;
      for (let at = 0; at < 120; at++) {
        if (random.chance(0.25)) {
          pair.write(random.chance(0.1));
        } else if (random.chance(0.05)) {
          pair.restart();
        } else {
          if (random.chance(0.1)) newest++;
          const { reference } = pair;
          const open = reference.exported?.moveId ?? reference.moveId;
          const moveId = random.chance(0.7) && open > 0 ? open : Math.max(1, newest - random.below(4));
          const steps = [...variants(reference, moveId)];
          const step = steps[random.below(steps.length)] as PlainStep;
          stepAndCompare(pair, step, `seed ${seed}, step ${at}: ${JSON.stringify(step, plain)}`);
        }
        compare(pair, `seed ${seed}, step ${at}`);
      }
    },
  );
});
