import { Prng } from '@flotilla/base';
import { limits, MoveAnswer, Op } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { changeIndexOf, deltaIn, type IndexEntry } from './testing/contents.ts';
import { Move } from './testing/move.ts';
import { bytes, command, Rig, sessionOf } from './testing/rig.ts';

/** A put of the rig touches its record and the rig's own row. */
const RECORD_OVERHEAD = 25;
const ENTRY = 64;

interface Exporting {
  readonly move: Move;
  entries(): IndexEntry[];
}

/** A rig that exports shard 0, after some content. */
function exporting(prepare: (rig: Rig) => void = () => undefined): Exporting {
  const source = Rig.serving([0], { gid: 7 });
  prepare(source);
  const move = new Move(source, new Rig({ gid: 8 }));
  move.beginExport();
  const begunAt = source.index;
  return { move, entries: () => changeIndexOf(source, 0, begunAt) };
}

function sumOf(entries: readonly IndexEntry[]): number {
  return entries.reduce((sum, { weight }) => sum + weight, 0);
}

function openAfter(entries: readonly IndexEntry[], pos: number): number {
  const weights = entries.filter(({ revision }) => revision > pos).map(({ weight }) => weight);
  return weights.length === 0 ? 0 : weights.reduce((sum, weight) => sum + weight, 0) - Math.max(...weights);
}

describe('the change index', () => {
  test('does not exist while nobody moves the shard', () => {
    const rig = Rig.serving();
    rig.put('a', 'x');
    rig.put('a', 'y');
    const dump = rig.dump();
    expect(dump.some((line) => line.split(' ')[0]?.slice(20, 22) === '04')).toBe(false);
    expect(dump.length).toBe(1 + 1 + 1 + 1);
  });

  test('holds one entry for each item that changed, at its last change', () => {
    const { move, entries } = exporting((rig) => rig.put('old', 'x'));
    move.source.put('a', '12345');
    move.source.put('a', '1');
    move.source.put('old', 'y');
    const names = entries().map(({ revision, item }) => `${revision} ${item}`);
    expect(names).toEqual(['3 1 61', '4 1 6f6c64', expect.stringMatching(/^4 2 /)]);
    expect(entries()[0]?.weight).toBe(ENTRY + 1 + RECORD_OVERHEAD + 1);
  });

  test('keeps what changed before it began to itself', () => {
    const { entries } = exporting((rig) => {
      rig.put('a', 'x');
      rig.put('b', 'x');
    });
    expect(entries()).toEqual([]);
  });

  test('weighs what is stored in it, whatever comes and goes', () => {
    const random = new Prng(3);
    const { move, entries } = exporting();
    for (let at = 0; at < 300; at++) {
      const key = `k${random.below(12)}`;
      if (random.chance(0.3)) move.source.run({ op: Op.delete, key: bytes(key) });
      else if (random.chance(0.05)) move.source.run({ op: Op.deleteRange, key: bytes('k1') });
      else move.source.put(key, 'x'.repeat(random.below(50)));
      if (random.chance(0.1)) move.source.restart();
      if (random.chance(0.03)) move.trim(random.below(move.given.revision) + 1);
    }
    move.source.group.flush();
    expect(move.given.openExport?.bytes).toBe(sumOf(entries()));
    expect(entries().length).toBeGreaterThan(5);
  });

  test('goes with its export, and the next one begins empty', () => {
    const { move } = exporting();
    move.source.put('a', 'x');
    move.cancel();
    move.source.put('b', 'x');
    const next = new Move(move.source, move.target, { moveId: 11 });
    expect(next.beginExport()).toEqual({ answer: MoveAnswer.opened, r0: 2 });
    const begunAt = move.source.index;
    expect(next.given.openExport).toEqual({ moveId: 11, r0: 2, bytes: 0 });
    move.source.put('a', 'y');
    expect(changeIndexOf(move.source, 0, begunAt).map(({ revision }) => revision)).toEqual([3, 3]);
  });
});

describe('what is open', () => {
  test('leaves the largest item out, and lets a freeze happen up to the limit and not one byte further', () => {
    for (const more of [0, 1]) {
      const { move, entries } = exporting();
      move.beginImport(0);
      move.source.put('hot', 'x'.repeat(limits.valueBytes));
      const row = 300;
      move.source.put('a', 'x'.repeat(limits.freezeBytes - row));
      const missing = limits.freezeBytes - openAfter(entries(), 0);
      move.source.put('a', 'x'.repeat(limits.freezeBytes - row + missing + more));
      // The row keeps one result, as the rig raises its floor with every command.
      expect(openAfter(entries(), 0)).toBe(limits.freezeBytes + more);
      const outcome = move.freeze(0);
      if (more === 0) expect(outcome).toMatchObject({ answer: MoveAnswer.frozen });
      else expect(outcome).toMatchObject({ answer: MoveAnswer.notYet, r0: 0 });
    }
  });

  test('is told exactly while it is little, else never too low, also after a restart', () => {
    const { move, entries } = exporting();
    for (let at = 0; at < 3000; at++) move.source.put(`k${at}`, 'x'.repeat(200));
    const { revision } = move.given;
    const all = entries();
    const told: { readonly openBytes: number; readonly exact: number }[] = [];
    for (let from = 0; from < revision; ) {
      const { delta, openBytes } = move.changes(from);
      from = deltaIn(delta).to;
      told.push({ openBytes, exact: openAfter(all, from) });
      if (told.length === 2) move.source.restart();
    }
    expect(told.length).toBeGreaterThan(3);
    const isLittle = ({ exact }: { readonly exact: number }): boolean => exact <= limits.freezeBytes;
    expect(told.filter(isLittle).length).toBeGreaterThan(1);
    for (const { openBytes, exact } of told) {
      if (isLittle({ exact })) expect(openBytes).toBe(exact);
      else expect(openBytes - exact).toBeLessThan(400);
      expect(openBytes).toBeGreaterThanOrEqual(exact);
    }
    // Nothing goes on with what a target that comes from further behind asks.
    expect(move.changes(0).openBytes).toBeGreaterThanOrEqual(
      openAfter(all, deltaIn(move.changes(0).delta).to),
    );
  });

  test('is told with each page, the largest item included', () => {
    const { move, entries } = exporting();
    move.beginImport(0);
    for (let at = 0; at < 20; at++) move.source.put(`k${at % 7}`, 'x'.repeat(at * 100));
    const total = (pos: number): number => sumOf(entries().filter(({ revision }) => revision > pos));
    for (const pos of [0, 5, 11, 19, 20, 3]) {
      expect(move.page(new Uint8Array(0), pos)).toMatchObject({ openBytes: total(pos) });
    }
    move.source.put('k1', 'more');
    expect(move.page(new Uint8Array(0), 20)).toMatchObject({ openBytes: total(20) });
    move.trim(19);
    expect(move.page(new Uint8Array(0), 0)).toMatchObject({ openBytes: total(19) });
  });

  test('is caught up with after a restart, a step at a time', () => {
    const { move, entries } = exporting();
    fill(move.source, 3 * limits.trimEntries);
    move.source.restart();
    const pos = move.given.revision - 10;
    const exact = sumOf(entries().filter(({ revision }) => revision > pos));
    const told = Array.from({ length: 4 }, () => move.page(new Uint8Array(0), pos).openBytes);
    expect(told[0]).toBeGreaterThan(told[1] as number);
    expect(told.at(-1)).toBe(exact);
  });
});

/** So many records of their own, in few batches of one session. */
function fill(rig: Rig, count: number): void {
  for (let at = 0; at < count; at += limits.batchCommands) {
    const length = Math.min(limits.batchCommands, count - at);
    const puts = Array.from({ length }, (_, offset) =>
      command({ key: bytes(`n${String(at + offset).padStart(6, '0')}`), seqOffset: offset }),
    );
    rig.batch(puts, { session: sessionOf(rig.now, 77), floor: at });
  }
}

describe('a trim', () => {
  test('drops what lies at or below its revision, and answers below it no more', () => {
    const { move, entries } = exporting();
    for (let at = 0; at < 10; at++) move.source.put(`k${at}`, 'x');
    expect(move.trim(4)).toEqual({ answer: MoveAnswer.trimmed, r0: 4 });
    expect(Math.min(...entries().map(({ revision }) => revision))).toBe(5);
    expect(move.given.openExport).toEqual({ moveId: 10, r0: 4, bytes: sumOf(entries()) });
    // What changes again has no former entry any more.
    move.source.put('k1', 'y');
    move.source.put('k9', 'y');
    move.source.group.flush();
    expect(move.given.openExport?.bytes).toBe(sumOf(entries()));
    expect(move.trim(12)).toEqual({ answer: MoveAnswer.trimmed, r0: 12 });
    expect(entries()).toEqual([]);
    expect(move.given.openExport).toEqual({ moveId: 10, r0: 12, bytes: 0 });
  });

  test('goes over a bounded number of entries at once, and says how far it came', () => {
    const { move, entries } = exporting();
    fill(move.source, limits.trimEntries + 1000);
    const { revision } = move.given;
    expect(move.trim(revision)).toEqual({ answer: MoveAnswer.trimmed, r0: limits.trimEntries });
    expect(move.given.openExport?.bytes).toBe(sumOf(entries()));
    expect(entries().length).toBe(1000 + 1);
    expect(move.trim(revision)).toEqual({ answer: MoveAnswer.trimmed, r0: revision });
    expect(entries()).toEqual([]);
  });

  test('takes the last revision whole', () => {
    const { move, entries } = exporting((rig) => fill(rig, limits.rangeDeleteKeys));
    for (let at = 0; at < limits.trimEntries - 1; at++) move.source.put(`a${at}`, 'x');
    move.source.run({ op: Op.deleteRange, key: bytes('n'), value: bytes('o') });
    move.source.put('after', 'x');
    const { revision } = move.given;
    expect(move.trim(revision)).toEqual({ answer: MoveAnswer.trimmed, r0: revision - 1 });
    expect(entries().map((entry) => entry.revision)).toEqual([revision, revision]);
  });

  test('of a freeze that came first does nothing', () => {
    const { move } = exporting();
    move.beginImport(0);
    move.source.put('a', 'x');
    move.freeze(0);
    expect(move.trim(1)).toEqual({ answer: MoveAnswer.closed });
    expect(move.changes(0).delta.length).toBeGreaterThan(0);
  });
});
