import { concatBytes, Prng, Writer, Xxh64 } from '@flotilla/base';
import { ItemKind, MoveAnswer, MoveStep, type Page, sealDelta, sealPage } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { contentOf, deltaIn, digestsOf, itemsIn, pageIn } from './testing/contents.ts';
import { Move } from './testing/move.ts';
import { latin1, type PlainItem } from './testing/move-reference.ts';
import { itemsOf, raw, recordName, rowName, storedOf } from './testing/plain-items.ts';
import { bytes, command, Rig, sessionOf } from './testing/rig.ts';

// What a target is handed comes from another group's disks and over a network, and then stands in its log for
// good. A piece that is not sound to the last byte changes nothing, and the answer says where the copy stands.

const M = 10;

/** A move with some items behind its cursor, which stands at the key `m`. */
function halfway(): Move {
  const move = new Move(Rig.serving([0], { gid: 7 }), new Rig({ gid: 8 }));
  move.source.put('a', 'x');
  move.source.put('b', 'x');
  move.begin();
  const { revision: view } = move.given;
  const records = itemsIn(pageIn(move.page().page).items).filter(({ kind }) => kind === ItemKind.record);
  const items = concatBytes(...records.map(({ kind, name, stored }) => itemWith(kind, latin1(name), stored)));
  const next = raw(recordName('m'));
  const page = { moveId: M, shard: 0, cursor: new Uint8Array(0), view, next, isLast: false, items };
  expect(move.takePage(sealPage(page, new Xxh64()))).toMatchObject({ cursor: next });
  return move;
}

function gone(name: string, revision: number): PlainItem {
  return { name, revision, body: undefined };
}

function item(name: string, revision: number, body = 'x'): PlainItem {
  return { name, revision, body };
}

/** One item with any bytes as what is stored. */
function itemWith(kind: number, name: string, stored: Uint8Array = new Uint8Array(0)): Uint8Array {
  const out = new Writer(64);
  out.u8(kind);
  out.u16(raw(name).length);
  out.u32(stored.length);
  out.raw(raw(name));
  out.raw(stored);
  return out.finish();
}

/** The same with a hash that fits, over bytes that no group stores. */
function hashed(kind: number, name: string, body: readonly number[]): Uint8Array {
  const hasher = new Xxh64();
  hasher.hash(concatBytes(raw(name), Uint8Array.from(body)));
  const out = new Writer(64);
  out.raw(Uint8Array.from(body));
  out.u32(hasher.low);
  out.u32(hasher.high);
  return itemWith(kind, name, out.finish());
}

function u53(value: number): number[] {
  const out = new Writer(8);
  out.u53(value);
  return [...out.finish()];
}

function flipped(whole: Uint8Array, at: number): Uint8Array {
  const copy = whole.slice();
  copy[at] = (copy[at] as number) ^ 0x10;
  return copy;
}

const SESSION = rowName(1).slice(1);
const soundRecord = storedOf(item(recordName('n'), 2));
const soundRow = storedOf(item(rowName(1), 2));
const TOO_LARGE = [255, 255, 255, 255, 255, 255, 255, 255];

/** Items that are not sound, each in a piece whose own checksum fits. */
const UNSOUND: Readonly<Record<string, Uint8Array>> = {
  'a record with a flipped bit': itemWith(ItemKind.record, 'n', flipped(soundRecord, 17)),
  'a record with a flipped version': itemWith(ItemKind.record, 'n', flipped(soundRecord, 1)),
  'a record with a flipped hash': itemWith(
    ItemKind.record,
    'n',
    flipped(soundRecord, soundRecord.length - 1),
  ),
  'a record under another name': itemWith(ItemKind.record, 'o', soundRecord),
  'a row with a flipped bit': itemWith(ItemKind.row, SESSION, flipped(soundRow, 0)),
  'a record without a name': itemWith(ItemKind.record, '', soundRecord),
  'a record with too long a name': itemWith(ItemKind.record, 'n'.repeat(1025), soundRecord),
  'a row with a short name': itemWith(ItemKind.row, SESSION.slice(1), soundRow),
  'an item of an unknown kind': itemWith(9, 'n', soundRecord),
  'an item that ends early': itemWith(ItemKind.record, 'n', soundRecord).slice(0, -1),
  'a record of no bytes': itemWith(ItemKind.record, 'n', new Uint8Array(0)),
  'a record with unknown flags': hashed(ItemKind.record, 'n', [2, ...u53(2), ...u53(1)]),
  'a record whose expiry is cut off': hashed(ItemKind.record, 'n', [1, ...u53(2), ...u53(1), 0]),
  'a record that expires beyond all numbers': hashed(ItemKind.record, 'n', [
    1,
    ...u53(2),
    ...u53(1),
    ...TOO_LARGE,
  ]),
  'a record of a version beyond all numbers': hashed(ItemKind.record, 'n', [0, ...TOO_LARGE, ...u53(1)]),
  'a record of version 0': hashed(ItemKind.record, 'n', [0, ...u53(0), ...u53(0)]),
  'a record older than its creation': hashed(ItemKind.record, 'n', [0, ...u53(2), ...u53(3)]),
  'a record whose value is over the limit': hashed(
    ItemKind.record,
    'n',
    Array.from(new Uint8Array(17 + 1_048_577))
      .fill(1, 1, 2)
      .fill(1, 9, 10),
  ),
  'a row of no bytes': itemWith(ItemKind.row, SESSION, new Uint8Array(0)),
  'a row of revision 0': hashed(ItemKind.row, SESSION, [...u53(0), ...u53(0)]),
  'a row whose floor is beyond all numbers': hashed(ItemKind.row, SESSION, [...TOO_LARGE, ...u53(1)]),
  'a row that ends inside a result': hashed(ItemKind.row, SESSION, [...u53(0), ...u53(1), 0, 0, 0]),
  'a row that ends inside an extra': hashed(ItemKind.row, SESSION, [
    ...u53(0),
    ...u53(1),
    ...[0, 0, 0x80, ...u53(1), 9, 0, 1],
  ]),
  'a row with a result of no kept status': hashed(ItemKind.row, SESSION, [
    ...u53(0),
    ...u53(1),
    ...[0, 0, 14, ...u53(1)],
  ]),
  'a row with results out of order': hashed(ItemKind.row, SESSION, [
    ...u53(0),
    ...u53(1),
    ...[1, 0, 0, ...u53(1), 1, 0, 0, ...u53(1)],
  ]),
  'a row with a result beyond its window': hashed(ItemKind.row, SESSION, [
    ...u53(0),
    ...u53(1),
    ...[0, 16, 0, ...u53(1)],
  ]),
};

/** Expects that the piece changes nothing, and that sound ones are still taken. */
function expectRefused(move: Move, take: () => unknown): void {
  const before = contentOf(move.target, 0);
  const { staging } = move;
  expect(take()).toEqual({
    answer: MoveAnswer.staged,
    cursor: staging.cursor,
    isComplete: staging.isComplete,
    pos: staging.pos,
  });
  expect(move.staging).toEqual(staging);
  expect(contentOf(move.target, 0)).toEqual(before);
  expect(move.target.group.digest(0)).toEqual(digestsOf(move.target, 0));
  move.copy();
  expect(move.finish()).toEqual({ answer: MoveAnswer.active });
}

function pageOf(move: Move, part: Partial<Page>): Uint8Array {
  const { cursor, pos: view } = move.staging;
  const whole = { moveId: M, shard: 0, cursor, view, next: new Uint8Array(0), isLast: true };
  return sealPage({ ...whole, items: new Uint8Array(0), ...part }, new Xxh64());
}

describe('an item that is not sound', () => {
  test.each(Object.entries(UNSOUND))('spoils its page: %s', (_, wrong) => {
    const move = halfway();
    const good = itemsOf([item(recordName('mm'), 2)]);
    expectRefused(move, () => move.takePage(pageOf(move, { items: concatBytes(good, wrong) })));
  });

  test.each(Object.entries(UNSOUND))('spoils its changes, also beyond the cursor: %s', (_, wrong) => {
    const move = halfway();
    move.source.put('c', 'x');
    const { pos } = move.staging;
    const items = concatBytes(itemsOf([item(recordName('a'), pos + 1, 'new')]), wrong);
    const delta = sealDelta({ moveId: M, shard: 0, from: pos, to: pos + 1, items }, new Xxh64());
    expectRefused(move, () => move.takeDelta(delta));
  });
});

describe('a page that is not the range it says', () => {
  const n = item(recordName('n'), 2);
  const o = item(recordName('o'), 2);
  const row = item(rowName(1), 2);
  const cases: readonly [string, readonly PlainItem[], Partial<Page>][] = [
    ['with an item before its cursor', [item(recordName('b'), 2)], {}],
    ['with items out of order', [o, n], {}],
    ['with one item twice', [n, n], {}],
    ['with a row before a record', [row, n], {}],
    ['with something that is gone', [gone(recordName('n'), 2)], {}],
    ['whose next one begins before its last item', [n, o], { isLast: false, next: raw(recordName('n')) }],
    ['whose next one begins at its last item', [n], { isLast: false, next: raw(recordName('n')) }],
    ['without items, whose next one begins at its cursor', [], { isLast: false, next: raw(recordName('m')) }],
    ['which is not the last and has no next one', [], { isLast: false }],
    ['whose next one begins behind everything', [], { isLast: false, next: Uint8Array.of(3) }],
    ['whose next one begins behind the end', [], { isLast: false, next: Uint8Array.of(9, 9) }],
  ];

  test.each(cases)('%s is refused', (_, items, part) => {
    const move = halfway();
    expectRefused(move, () => move.takePage(pageOf(move, { items: itemsOf(items), ...part })));
  });

  test('without items may still move the cursor on', () => {
    const move = halfway();
    const next = raw(recordName('n'));
    expect(move.takePage(pageOf(move, { isLast: false, next }))).toMatchObject({ cursor: next });
  });
});

describe('bytes that are no piece', () => {
  test('change nothing, wherever a bit flips or the end is', () => {
    const random = new Prng(5);
    const move = halfway();
    move.source.put('c', 'x');
    move.source.put('n', 'x');
    const { page } = move.page();
    const { delta } = move.changes();
    const before = move.staging;
    for (let round = 0; round < 300; round++) {
      const pieces: Uint8Array[] = [];
      for (const whole of [page, delta]) {
        pieces.push(flipped(whole, random.below(whole.length)), whole.slice(0, random.below(whole.length)));
      }
      pieces.push(Uint8Array.from({ length: random.below(60) }, () => random.below(256)));
      for (const piece of pieces) {
        move.takePage(piece);
        move.takeDelta(piece);
      }
    }
    expect(move.staging).toEqual(before);
    expect(move.takePage(page)).toMatchObject({ isComplete: true });
    expect(move.takeDelta(delta)).toMatchObject({ pos: move.given.revision });
  });

  test('whose checksum fits and which cannot be read change nothing either', () => {
    const move = halfway();
    const seal = (body: Uint8Array): Uint8Array => {
      const hasher = new Xxh64();
      hasher.hash(body);
      const out = new Writer(64);
      out.raw(body);
      out.u32(hasher.low);
      out.u32(hasher.high);
      return out.finish();
    };
    const { page } = move.page();
    for (let end = 0; end < page.length - 8; end++) {
      const piece = seal(page.slice(0, end));
      expectUnmoved(move, () => move.takePage(piece));
      expectUnmoved(move, () => move.takeDelta(piece));
    }
    expectUnmoved(move, () => move.takePage(seal(Uint8Array.of(...page.slice(0, -8), 0))));
  });

  test('of another kind change nothing', () => {
    const move = halfway();
    move.source.put('c', 'x');
    expectUnmoved(move, () => move.takePage(move.changes().delta));
    expectUnmoved(move, () => move.takeDelta(move.page().page));
  });

  test('for another shard or move change nothing, whatever the entry says', () => {
    const move = halfway();
    for (const part of [{ moveId: M + 1 }, { moveId: M - 1 }, { shard: 1 }]) {
      expectUnmoved(move, () => move.takePage(pageOf(move, part)));
      const delta = { moveId: M, shard: 0, from: 2, to: 3, items: new Uint8Array(0), ...part };
      expectUnmoved(move, () => move.takeDelta(sealDelta(delta, new Xxh64())));
    }
  });
});

function expectUnmoved(move: Move, take: () => unknown): void {
  const { staging } = move;
  expect(take()).toMatchObject({ answer: MoveAnswer.staged, cursor: staging.cursor, pos: staging.pos });
  expect(move.staging).toEqual(staging);
}

describe('what was damaged in the source before it was read', () => {
  test('is not taken, and the move does not go on', () => {
    const move = new Move(Rig.serving([0], { gid: 7 }), new Rig({ gid: 8 }));
    move.source.put('a', 'something');
    move.begin();
    const key = move.source.store
      .dump(new Uint8Array(0))
      .map(([found]) => found)
      .find((found) => found.at(-1) === 97);
    const stored = move.source.store.get(key as Uint8Array)?.slice() as Uint8Array;
    move.source.store.put(key as Uint8Array, flipped(stored, 20));
    expect(pageIn(move.page().page)).toMatchObject({ isLast: true });
    expect(move.takePage()).toMatchObject({ isComplete: false });
  });

  test('and slipped through is found as the copy is activated: the staging goes, the fence stays', () => {
    const move = new Move(Rig.serving([0], { gid: 7 }), new Rig({ gid: 8 }));
    move.source.put('a', 'x');
    move.begin();
    move.copy();
    move.finish();
    const again = new Move(move.source, new Rig({ gid: 8 }));
    again.beginImport(0);
    // A record too few: as if a disk had lost it without a trace.
    const { view } = pageIn(again.page().page);
    again.takePage(sealPage({ ...pageIn(again.page().page), items: new Uint8Array(0), view }, new Xxh64()));
    again.takeDelta(
      sealDelta({ moveId: M, shard: 0, from: 0, to: 1, items: new Uint8Array(0) }, new Xxh64()),
    );
    expect(again.activate(move.facts)).toEqual({ answer: MoveAnswer.digest });
    expect(again.target.group.shard(0)).toBeUndefined();
    expect(again.target.step({ step: MoveStep.activate, moveId: M, shard: 0, ...facts(move) })).toEqual({
      answer: MoveAnswer.stale,
    });
    // The move begins again from the frozen copy, and only pages of the very end fit.
    again.beginImport(facts(move).revision);
    again.copy();
    expect(again.activate(move.facts)).toEqual({ answer: MoveAnswer.active });
    expect(contentOf(again.target, 0)).toEqual(contentOf(move.source, 0));
  });
});

function facts(move: Move): NonNullable<Move['facts']> {
  if (move.facts === undefined) throw new Error('not frozen');
  return move.facts;
}

test('changes are taken whatever their order and however often one item is named', () => {
  const move = halfway();
  move.source.batch([command({ key: bytes('c') })], { session: sessionOf(move.source.now, 4) });
  const { delta } = move.changes();
  const read = deltaIn(delta);
  const items = Uint8Array.of(...itemsOf([gone(recordName('b'), 1)]), ...read.items, ...read.items);
  move.takeDelta(sealDelta({ ...read, items }, new Xxh64()));
  expect(move.staging.pos).toBe(read.to);
  expect(move.target.group.digest(0)).toEqual(digestsOf(move.target, 0));
  expect(move.taken.recordCount).toBe(3);
});
