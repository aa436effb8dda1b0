import { EMPTY_BYTES, utf8Decode } from '@flotilla/base';
import { AskKind, Flag, ItemKind, limits, MoveAnswer, MoveStep, Op, Status, Verdict } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { contentOf, deltaIn, digestsOf, itemsIn, pageIn, type SeenItem } from './testing/contents.ts';
import { answered, Move } from './testing/move.ts';
import { bytes, command, Rig, sessionOf } from './testing/rig.ts';

/** A page or delta holds this for each item besides name and stored bytes. */
const ITEM_HEAD_BYTES = 7;

function rigs(): Move {
  return new Move(Rig.serving([0], { gid: 7 }), new Rig({ gid: 8 }));
}

function begun(): Move {
  const move = rigs();
  move.begin();
  return move;
}

function key(number: number): string {
  return `k${String(number).padStart(5, '0')}`;
}

function words(items: readonly SeenItem[]): string[] {
  return items.map(({ kind, name, stored, revision }) => {
    const what = kind === ItemKind.record ? utf8Decode(name) : 'row';
    return `${what}@${revision}${stored === undefined ? ' gone' : ''}`;
  });
}

/** Items of the next changes, sorted, without session rows. */
function changed(move: Move, from?: number): string[] {
  const { delta } = move.changes(from);
  if (delta.length === 0) return [];
  const items = itemsIn(deltaIn(delta).items).filter((item) => item.kind === ItemKind.record);
  return words(items).sort();
}

function remove(rig: Rig, name: string): void {
  rig.run({ op: Op.delete, key: bytes(name) });
}

describe('a page', () => {
  test('holds records in key order, then session rows', () => {
    const move = begun();
    for (const name of ['b', 'a', 'c']) move.source.put(name, 'x');
    const page = pageIn(move.page().page);
    expect(words(itemsIn(page.items))).toEqual(['a@2', 'b@1', 'c@3', 'row@3']);
    expect(page).toMatchObject({ moveId: 10, shard: 0, view: 3, isLast: true, next: EMPTY_BYTES });
  });

  test('of an empty shard is empty, and the last', () => {
    const move = begun();
    expect(pageIn(move.page().page)).toMatchObject({ view: 0, isLast: true, items: EMPTY_BYTES });
    expect(move.takePage()).toMatchObject({ answer: MoveAnswer.staged, isComplete: true, pos: 0 });
  });

  test('ends before the item that would not fit, where the next one begins', () => {
    const move = begun();
    // Together they take the limit exactly; one more byte, and the second goes into the next page.
    const each = limits.importPieceBytes / 2 - ITEM_HEAD_BYTES - 1 - 25;
    move.source.put('a', 'x'.repeat(each));
    move.source.put('b', 'x'.repeat(each));
    const first = pageIn(move.page().page);
    expect(words(itemsIn(first.items))).toEqual(['a@1', 'b@2']);
    expect(first.items.length).toBe(limits.importPieceBytes);
    expect(first.next[0]).toBe(ItemKind.row);
    move.source.put('b', 'x'.repeat(each + 1));
    const shorter = pageIn(move.page().page);
    expect(words(itemsIn(shorter.items))).toEqual(['a@1']);
    expect(shorter.next).toEqual(Uint8Array.of(ItemKind.record, 0x62));
    const rest = pageIn(move.page(shorter.next).page);
    expect(words(itemsIn(rest.items))).toEqual(['b@3', 'row@3']);
    expect(rest.isLast).toBe(true);
  });

  test('takes one item of any size', () => {
    const move = begun();
    move.source.put('a', 'x');
    move.source.put('b', 'x'.repeat(limits.valueBytes));
    move.source.put('c', 'x');
    expect(move.copy()).toBe(3);
    move.finish();
    expect(contentOf(move.target, 0)).toEqual(contentOf(move.source, 0));
  });

  test('covers the range from its cursor, wherever that stands', () => {
    const move = begun();
    for (const name of ['a', 'b', 'c']) move.source.put(name, 'x');
    const at = (...cursor: number[]): string[] =>
      words(itemsIn(pageIn(move.page(Uint8Array.from(cursor)).page).items));
    expect(at(ItemKind.record, 0x62)).toEqual(['b@2', 'c@3', 'row@3']);
    expect(at(ItemKind.record, 0x61, 0)).toEqual(['b@2', 'c@3', 'row@3']);
    expect(at(ItemKind.row)).toEqual(['row@3']);
    // Nobody gives these out; they are places in the order like all others.
    expect(at(0, 0xff)).toEqual(['a@1', 'b@2', 'c@3', 'row@3']);
    expect(at(ItemKind.row, 0xff)).toEqual([]);
    expect(at(ItemKind.recordGone)).toEqual([]);
    expect(at(0xff, 0xff)).toEqual([]);
    expect(at(ItemKind.record, ...new Array<number>(limits.keyBytes).fill(0xff))).toEqual(['row@3']);
  });

  test('carries what has expired', () => {
    const move = begun();
    move.source.put('t', 'x', { flags: Flag.ttl, ttl: 5 });
    move.source.now += 1000;
    move.source.put('a', 'x');
    expect(words(itemsIn(pageIn(move.page().page).items))).toContain('t@1');
    move.copy();
    move.finish();
    expect(move.taken.recordCount).toBe(2);
    expect(contentOf(move.target, 0)).toEqual(contentOf(move.source, 0));
  });
});

describe('changes', () => {
  test('are items as they are now, each once', () => {
    const move = begun();
    for (let at = 0; at < 50; at++) move.source.put('hot', `${at}`);
    move.source.put('cold', 'x');
    expect(changed(move)).toEqual(['cold@51', 'hot@50']);
    expect(move.changes()).toMatchObject({ openBytes: 0, frozen: undefined });
    expect(deltaIn(move.changes().delta)).toMatchObject({ from: 0, to: 51 });
  });

  test('name what is gone, under the revision of its removal', () => {
    const move = rigs();
    move.source.put('old', 'x');
    move.begin();
    remove(move.source, 'old');
    move.source.put('new', 'x');
    remove(move.source, 'new');
    expect(changed(move)).toEqual(['new@4 gone', 'old@2 gone']);
  });

  test('name an item that went twice once, and one that came back as it is', () => {
    const move = begun();
    for (const name of ['a', 'b']) {
      move.source.put(name, 'x');
      remove(move.source, name);
      move.source.put(name, 'x');
    }
    remove(move.source, 'a');
    expect(changed(move)).toEqual(['a@7 gone', 'b@6']);
    // Only the removal lies behind this one, and it is outdated.
    expect(changed(move, 4)).toEqual(['a@7 gone', 'b@6']);
    expect(changed(move, 6)).toEqual(['a@7 gone']);
  });

  test('say nothing of what a failed command left alone but its row', () => {
    const move = rigs();
    move.source.put('a', 'x');
    move.begin();
    expect(move.source.put('a', 'y', { flags: Flag.ifAbsent })).toMatchObject({ status: Status.conflict });
    expect(words(itemsIn(deltaIn(move.changes().delta).items))).toEqual(['row@2']);
  });

  test('bring a range delete whole, however much that is', () => {
    const move = rigs();
    const long = 'x'.repeat(limits.keyBytes - 10);
    for (let at = 0; at < limits.rangeDeleteKeys; at += 100) {
      const puts = Array.from({ length: 100 }, (_, offset) =>
        command({ key: bytes(key(at + offset) + long), value: bytes('v'), seqOffset: offset }),
      );
      move.source.batch(puts, { session: sessionOf(move.source.now, 3), floor: at });
    }
    move.begin();
    move.source.put('before', 'x');
    move.source.run({ op: Op.deleteRange, key: bytes('k'), value: bytes('l') });
    move.source.put('after', 'x');
    const { revision } = move.given;
    const first = deltaIn(move.changes().delta);
    expect(first.to).toBe(revision - 2);
    const second = deltaIn(move.changes(first.to).delta);
    expect(second).toMatchObject({ from: revision - 2, to: revision - 1 });
    expect(itemsIn(second.items).length).toBe(limits.rangeDeleteKeys);
    expect(second.items.length).toBeGreaterThan(limits.importPieceBytes);
    expect(changed(move, second.to)).toEqual([`after@${revision}`]);
    // Alone it is more than a freeze allows, and the largest item is a small part of it.
    expect(move.freeze(first.to)).toMatchObject({ answer: MoveAnswer.notYet });
    expect(move.freeze(second.to)).toMatchObject({ answer: MoveAnswer.frozen });
  });

  test('are cut between revisions', () => {
    const move = begun();
    for (let at = 0; at < 30; at++) move.source.put(key(at), 'x'.repeat(20_000));
    let from = 0;
    const tos: number[] = [];
    const seen: string[] = [];
    while (from < 30) {
      const { delta, openBytes } = move.changes(from);
      const { to, items } = deltaIn(delta);
      expect(items.length).toBeLessThanOrEqual(limits.importPieceBytes);
      expect(openBytes > 0).toBe(to < 30);
      seen.push(...words(itemsIn(items)).filter((text) => !text.startsWith('row')));
      tos.push(to);
      from = to;
    }
    // Each is over 20,000 bytes and its entry 64 more: twelve fit.
    expect(tos).toEqual([12, 24, 30]);
    expect(seen.length).toBe(30);
  });

  test('bring what a time entry removed, rows too', () => {
    const move = begun();
    for (let at = 0; at < 5; at++) move.source.put(key(at), 'x', { flags: Flag.ttl, ttl: 10 });
    move.source.batch([command({ key: bytes('a') })], { session: sessionOf(move.source.now, 9) });
    move.copy();
    move.catchUp();
    const { revision } = move.given;
    move.source.now += 2_000_000;
    const entry = move.source.group.timeEntry(move.source.now);
    expect(entry).toBeDefined();
    move.source.apply(entry as Uint8Array);
    const { delta } = move.changes();
    const gone = revision + 1;
    const expected = [0, 1, 2, 3, 4].map((at) => `${key(at)}@${gone} gone`);
    expect(words(itemsIn(deltaIn(delta).items)).sort()).toEqual(
      [...expected, `row@${gone} gone`, `row@${gone} gone`].sort(),
    );
    expect(move.finish()).toEqual({ answer: MoveAnswer.active });
    expect(move.taken).toMatchObject({ recordCount: 1, rowCount: 0, recordBytes: 1 });
  });

  test('are nothing where nothing changed', () => {
    const move = rigs();
    move.source.put('a', 'x');
    move.begin();
    expect(move.changes()).toEqual({
      verdict: Verdict.changes,
      openBytes: 0,
      frozen: undefined,
      delta: EMPTY_BYTES,
    });
  });
});

describe('who may answer', () => {
  const of = { moveId: 10, shard: 0 };
  const page = { kind: AskKind.page, ...of, cursor: EMPTY_BYTES, minView: 0 };
  const changes = { kind: AskKind.changes, ...of, from: 0 };
  const throttle = { kind: AskKind.throttle, ...of, bytesPerSecond: 1 };

  test('nobody without an export of just this move', () => {
    const none = { verdict: Verdict.notSource };
    const move = rigs();
    move.source.put('a', 'x');
    for (const question of [page, changes, throttle]) {
      expect(move.source.group.answer(question)).toEqual(none);
      expect(move.source.group.answer({ ...question, shard: 3 })).toEqual(none);
      expect(move.source.group.answer({ ...question, shard: 99 })).toEqual(none);
    }
    move.begin();
    for (const question of [page, changes, throttle]) {
      expect(move.source.group.answer({ ...question, moveId: 11 })).toEqual(none);
      // An importing shard is nobody's source.
      expect(move.target.group.answer(question)).toEqual(none);
    }
    expect(move.source.group.answer(throttle)).toEqual({ verdict: Verdict.noted });
    move.cancel();
    for (const question of [page, changes, throttle])
      expect(move.source.group.answer(question)).toEqual(none);
  });

  test('a frozen source, until it is forgotten', () => {
    const move = begun();
    move.source.put('a', 'x');
    move.copy();
    move.freeze();
    expect(move.source.group.answer(page)).toMatchObject({ verdict: Verdict.page, totalBytes: 2 });
    expect(move.source.group.answer(changes)).toMatchObject({ verdict: Verdict.changes, frozen: move.facts });
    expect(move.source.group.answer(throttle)).toEqual({ verdict: Verdict.notSource });
    move.forget();
    expect(move.source.group.answer(page)).toEqual({ verdict: Verdict.notSource });
  });

  test('not a replica that has applied too little', () => {
    const move = begun();
    move.source.put('a', 'x');
    expect(move.source.group.answer({ ...page, minView: 1 })).toMatchObject({ verdict: Verdict.page });
    expect(move.source.group.answer({ ...page, minView: 2 })).toEqual({
      verdict: Verdict.behind,
      revision: 1,
    });
    expect(move.source.group.answer({ ...changes, from: 2 })).toEqual({
      verdict: Verdict.behind,
      revision: 1,
    });
  });

  test('not one whose index begins later', () => {
    const move = rigs();
    move.source.put('a', 'x');
    move.source.put('a', 'x');
    move.begin();
    expect(move.source.group.answer({ ...changes, from: 1 })).toEqual({ verdict: Verdict.gone, r0: 2 });
    // A page is as good as its view, whatever the index knows.
    expect(move.source.group.answer({ ...page, minView: 1 })).toMatchObject({ verdict: Verdict.page });
  });
});

describe('the largest items', () => {
  /** A session row with as many and as long results of range deletes as there can be. */
  function fillRow(rig: Rig, tag: number): void {
    const commands = Array.from({ length: limits.batchCommands }, (_, at) =>
      command({ op: Op.deleteRange, key: bytes('z'), flags: Flag.ttl, ttl: 0, seqOffset: at }),
    );
    rig.batch(commands, { session: sessionOf(rig.now, tag), floor: 0 });
  }

  /** Where those range deletes stop at once. */
  const stop = 'z'.repeat(limits.keyBytes);
  const longKey = 'a'.repeat(limits.keyBytes);

  test('go through a move as pages and as changes', () => {
    const move = rigs();
    move.source.put(stop, '');
    move.source.put(longKey, 'x'.repeat(limits.valueBytes));
    fillRow(move.source, 5);
    move.begin();
    move.copy();
    // One revision with the largest record; then one with the largest row.
    move.source.put(longKey, 'y'.repeat(limits.valueBytes));
    fillRow(move.source, 6);
    const seen: number[] = [];
    for (;;) {
      const { delta } = move.changes();
      if (delta.length === 0) break;
      seen.push(delta.length);
      expect(answered(move.takeDelta(delta), MoveAnswer.staged).pos).toBe(deltaIn(delta).to);
    }
    expect(Math.max(...seen)).toBeGreaterThan(4_000_000);
    expect(Math.max(...seen)).toBeLessThan(limits.importBytes);
    expect(move.finish()).toEqual({ answer: MoveAnswer.active });
    expect(move.taken).toMatchObject({ rowCount: 3, recordBytes: 2 * limits.keyBytes + limits.valueBytes });
    expect(digestsOf(move.target, 0)).toEqual(digestsOf(move.source, 0));
  });

  test('may be all that is open as a shard freezes', () => {
    const move = begun();
    move.copy();
    move.source.put(stop, 'x'.repeat(1000));
    fillRow(move.source, 5);
    const outcome = answered(move.freeze(), MoveAnswer.frozen);
    expect(outcome.delta.length).toBeLessThan(limits.importBytes);
    move.takeDelta(outcome.delta);
    expect(move.activate()).toEqual({ answer: MoveAnswer.active });
  });

  test('may lie in one revision, the record and the row that one command touched', () => {
    const move = begun();
    const session = sessionOf(move.source.now, 5);
    move.source.put(stop, '');
    const commands = Array.from({ length: limits.batchCommands - 1 }, (_, at) =>
      command({ op: Op.deleteRange, key: bytes('z'), flags: Flag.ttl, ttl: 0, seqOffset: at }),
    );
    move.source.batch(commands, { session, floor: 0 });
    const last = { key: bytes(longKey), value: bytes('x'.repeat(limits.valueBytes)), seqOffset: 4095 };
    move.source.batch([command(last)], { session, floor: 0 });
    move.copy();
    const { delta } = move.changes(move.given.revision - 1);
    expect(delta.length).toBeGreaterThan(5_000_000);
    expect(delta.length).toBeLessThan(limits.importBytes);
    const step = { step: MoveStep.importDelta, moveId: 10, shard: 0, delta };
    expect(move.target.step(step)).toMatchObject({ answer: MoveAnswer.staged });
  });
});
