import { utf8Decode } from '@flotilla/base';
import {
  Flag,
  limits,
  MoveAnswer,
  MoveStep,
  Op,
  ReadKind,
  type Result,
  Status,
  sessionLimits,
} from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { ShardState } from './shard.ts';
import { contentOf, digestsOf } from './testing/contents.ts';
import { answered, Move } from './testing/move.ts';
import { bytes, command, Rig, sessionOf } from './testing/rig.ts';

// What clients see of a shard that goes from group to group.

const AFTER = { epoch: 2 };

function rigs(): Move {
  return new Move(Rig.serving([0], { gid: 7 }), new Rig({ gid: 8 }));
}

/** Begun and copied: only changes are still to come. */
function copied(prepare: (rig: Rig) => void = () => undefined): Move {
  const move = rigs();
  prepare(move.source);
  move.begin();
  move.copy();
  return move;
}

function get(rig: Rig, key: string, epoch: number): Result {
  return rig.read({ kind: ReadKind.get, key: bytes(key), epoch });
}

function textOf(result: Result): string {
  return result.status === Status.record ? utf8Decode(result.value) : `status ${result.status}`;
}

describe('a move', () => {
  test('takes everything along that was written before, meanwhile and last', () => {
    const move = rigs();
    for (let at = 0; at < 60; at++) move.source.put(`k${at}`, 'x'.repeat(10_000));
    move.begin();
    move.takePage();
    move.source.put('k1', 'new');
    move.source.put('k59', 'new');
    move.source.run({ op: Op.delete, key: bytes('k2') });
    expect(move.copy()).toBe(2);
    move.source.put('k3', 'late');
    move.catchUp();
    move.source.put('k4', 'last');
    const outcome = answered(move.freeze(), MoveAnswer.frozen);
    expect(move.activate()).toMatchObject({ answer: MoveAnswer.gap, isComplete: true, pos: 64 });
    move.takeDelta(outcome.delta);
    expect(move.activate()).toEqual({ answer: MoveAnswer.active });

    expect(contentOf(move.target, 0)).toEqual(contentOf(move.source, 0));
    expect(move.taken).toMatchObject({
      state: ShardState.serving,
      epoch: 2,
      revision: 65,
      fence: 10,
      recordCount: 59,
      rowCount: 1,
    });
    // Versions go on where they stopped.
    expect(move.target.put('k5', 'here', AFTER)).toMatchObject({ status: Status.ok, version: 66 });
    expect(get(move.target, 'k4', 2)).toMatchObject({ version: 65 });
    expect(move.target.group.digest(0)).toEqual(digestsOf(move.target, 0));
  });

  test('lets the source serve until it freezes, and then never again', () => {
    const move = copied((rig) => rig.put('a', 'x'));
    expect(textOf(move.source.get('a'))).toBe('x');
    move.freeze();
    const moved = { status: Status.moved, gid: 8, epoch: 2 };
    expect(move.source.get('a')).toEqual(moved);
    expect(move.source.put('a', 'y')).toEqual(moved);
    expect(move.source.run({ op: Op.deleteRange, key: bytes('') })).toEqual(moved);
    move.source.restart();
    expect(move.source.get('a')).toEqual(moved);
    move.activate();
    move.forget();
    expect(move.source.put('a', 'y')).toEqual({ status: Status.wrongGroup, gid: 8, epoch: 2 });
    expect(move.given).toMatchObject({ state: ShardState.absent, fence: 10, hintGid: 8, hintEpoch: 2 });
  });

  test('lets the target serve only what it has whole', () => {
    const move = copied((rig) => rig.put('a', 'x'));
    const wait = { status: Status.notReady, retryAfterMs: 10 };
    expect(get(move.target, 'a', 2)).toEqual(wait);
    expect(get(move.target, 'a', 1)).toEqual(wait);
    expect(move.target.put('a', 'y', AFTER)).toEqual(wait);
    expect(move.target.read({ kind: ReadKind.scan, ...AFTER })).toEqual(wait);
    move.finish();
    expect(textOf(get(move.target, 'a', 2))).toBe('x');
    expect(get(move.target, 'a', 1)).toEqual({ status: Status.wrongGroup, gid: 8, epoch: 2 });
  });

  test('of one shard is nothing to the others of both groups', () => {
    const source = Rig.serving([0, 1], { gid: 7 });
    const target = Rig.serving([2, 3], { gid: 8 });
    for (const shard of [0, 1]) source.put('a', `s${shard}`, { shard });
    target.put('a', 's3', { shard: 3 });
    const others = [contentOf(source, 1), contentOf(target, 3)];
    const move = new Move(source, target);
    expect(move.run()).toEqual({ answer: MoveAnswer.active });
    expect([contentOf(source, 1), contentOf(target, 3)]).toEqual(others);
    expect(source.put('b', 'x', { shard: 1 })).toMatchObject({ version: 2 });
    expect(target.put('b', 'x', { shard: 3 })).toMatchObject({ version: 2 });
  });

  test('that is cancelled leaves the source as it was, and the target without it', () => {
    const move = copied((rig) => rig.put('a', 'x'));
    expect(move.cancel()).toEqual({ answer: MoveAnswer.cancelled });
    expect(move.freeze()).toEqual({ answer: MoveAnswer.closed });
    expect(move.abort()).toEqual({ answer: MoveAnswer.aborted });
    expect(move.target.group.shard(0)).toMatchObject({
      state: ShardState.absent,
      fence: 10,
      staging: undefined,
    });
    expect(move.beginImport(0)).toEqual({ answer: MoveAnswer.stale });
    expect(move.source.put('a', 'y')).toMatchObject({ status: Status.ok, version: 2 });
    const again = new Move(move.source, move.target, { moveId: 11 });
    expect(again.run()).toEqual({ answer: MoveAnswer.active });
  });

  test('comes back: there, on to a third group, and home again, while late steps of the first go on', () => {
    const a = Rig.serving([0], { gid: 7 });
    const b = new Rig({ gid: 8 });
    const c = new Rig({ gid: 9 });
    a.put('k', '1');
    const first = new Move(a, b, { moveId: 10 });
    first.begin();
    const page = first.page();
    first.copy();
    first.finish();
    b.put('k', '2', { epoch: 2 });
    const second = new Move(b, c, { moveId: 11, epoch: 2 });
    second.run();
    c.put('k', '3', { epoch: 3 });
    const third = new Move(c, a, { moveId: 12, epoch: 3 });
    // The first source is still frozen: nobody told it to forget.
    third.run();
    const late = (): void => {
      first.forget();
      first.cancel();
      first.freeze(0);
      first.beginImport(0);
      first.takePage(page.page);
      first.activate();
      first.abort();
      second.forget();
      second.cancel();
      b.activate(0, 1);
      a.activate(0, 1);
    };
    late();
    expect(textOf(get(a, 'k', 4))).toBe('3');
    expect(get(b, 'k', 4)).toEqual({ status: Status.wrongGroup, gid: 9, epoch: 3 });
    a.put('k', '4', { epoch: 4 });
    late();
    expect(get(a, 'k', 4)).toMatchObject({ status: Status.record, version: 4 });
    third.forget();
    const states = [a, b, c].map((rig) => rig.group.shard(0)?.state);
    expect(states).toEqual([ShardState.serving, ShardState.absent, ShardState.absent]);
  });

  test('of a shard without anything in it works as well', () => {
    const move = rigs();
    expect(move.run()).toEqual({ answer: MoveAnswer.active });
    expect(move.target.put('a', 'x', AFTER)).toMatchObject({ version: 1 });
  });

  test('of a shard that the cluster does not have is refused', () => {
    const move = new Move(Rig.serving(), new Rig(), { shard: 4 });
    const none = { moveId: 10, shard: 4 };
    expect(move.beginExport()).toEqual({ answer: MoveAnswer.refused });
    expect(move.trim(1)).toEqual({ answer: MoveAnswer.refused });
    expect(move.freeze(0)).toEqual({ answer: MoveAnswer.refused });
    expect(move.cancel()).toEqual({ answer: MoveAnswer.stale });
    expect(move.forget()).toEqual({ answer: MoveAnswer.done });
    expect(move.beginImport(0)).toEqual({ answer: MoveAnswer.stale });
    expect(move.takePage(new Uint8Array(0))).toEqual({ answer: MoveAnswer.stale });
    expect(move.takeDelta(new Uint8Array(0))).toEqual({ answer: MoveAnswer.stale });
    expect(move.abort()).toEqual({ answer: MoveAnswer.stale });
    const zero = { hi: 0, lo: 0 };
    const facts = { revision: 0, time: 0, digests: { records: zero, rows: zero } };
    expect(move.target.step({ step: MoveStep.activate, ...none, ...facts })).toEqual({
      answer: MoveAnswer.stale,
    });
  });
});

describe('the freeze', () => {
  test('answers every repeat alike, with the changes after the position that is asked with', () => {
    const move = copied((rig) => rig.put('a', 'x'));
    move.source.put('b', 'x');
    const first = answered(move.freeze(1), MoveAnswer.frozen);
    expect(first).toMatchObject({ r0: 1, facts: { revision: 2 } });
    expect(move.freeze(1)).toEqual(first);
    expect(answered(move.freeze(2), MoveAnswer.frozen).delta.length).toBe(0);
    // A position that the index does not reach has no changes; the facts are the same.
    expect(move.freeze(0)).toEqual({ ...first, delta: new Uint8Array(0) });
    expect(move.freeze(3)).toEqual({ ...first, delta: new Uint8Array(0) });
    expect(move.beginExport()).toEqual({ ...first, delta: new Uint8Array(0) });
    expect(move.cancel()).toEqual({ answer: MoveAnswer.tooLate });
    move.source.restart();
    expect(move.freeze(1)).toEqual(first);
  });

  test('waits while much is open, and says how much', () => {
    const move = copied();
    for (let at = 0; at < 40; at++) move.source.put(`k${at}`, 'x'.repeat(10_000));
    const outcome = answered(move.freeze(), MoveAnswer.notYet);
    expect(outcome.openBytes).toBeGreaterThan(limits.freezeBytes);
    expect(outcome.r0).toBe(0);
    expect(move.source.put('a', 'x')).toMatchObject({ status: Status.ok });
    move.catchUp();
    expect(move.freeze()).toMatchObject({ answer: MoveAnswer.frozen });
  });

  test('gives all that may be open in one piece', () => {
    const move = copied();
    // Nearly as much as may be open, and a hot value on top: far more than a page.
    for (let at = 0; at < 24; at++) move.source.put(`k${at}`, 'x'.repeat(10_000));
    move.source.put('hot', 'x'.repeat(limits.valueBytes));
    const outcome = answered(move.freeze(), MoveAnswer.frozen);
    expect(outcome.delta.length).toBeGreaterThan(limits.valueBytes + 24 * 10_000);
    expect(move.takeDelta(outcome.delta)).toMatchObject({ pos: 25 });
    expect(move.activate()).toEqual({ answer: MoveAnswer.active });
  });

  test('ends the due times of the shard here and begins them there', () => {
    const move = copied((rig) => {
      rig.put('t', 'x', { flags: Flag.ttl, ttl: 500 });
      rig.put('u', 'x', { flags: Flag.ttl, ttl: 900 });
    });
    const due = move.source.group.dueAt();
    expect(due).toBe(move.source.now + 500);
    expect(move.target.group.dueAt()).toBeUndefined();
    move.freeze();
    expect(move.source.group.dueAt()).toBeUndefined();
    move.activate();
    expect(move.target.group.dueAt()).toBe(due);
    move.target.restart();
    expect(move.target.group.dueAt()).toBe(due);
  });

  test('takes the due times of sessions along, and none of records that went meanwhile', () => {
    const move = copied((rig) => rig.put('t', 'x', { flags: Flag.ttl, ttl: 500 }));
    const { now } = move.source;
    move.source.run({ op: Op.delete, key: bytes('t') });
    move.source.put('u', 'x', { flags: Flag.ttl, ttl: 2 * sessionLimits.life });
    move.finish();
    expect(move.target.group.dueAt()).toBe(now + sessionLimits.life);
  });
});

describe('sessions over a move', () => {
  const session = sessionOf(1_000_000, 9);
  const append = command({ op: Op.append, key: bytes('k'), value: bytes('x') });

  function send(rig: Rig, part: object, floor = 0): Result {
    return rig.batch([command({ ...append, ...part })], { session, floor })[0] as Result;
  }

  test('a retry in the new group gets the first answer, and executes nothing', () => {
    const move = copied();
    const first = send(move.source, { seqOffset: 3 });
    move.finish();
    expect(send(move.target, { seqOffset: 3, ...AFTER })).toEqual(first);
    expect(textOf(get(move.target, 'k', 2))).toBe('x');
    expect(send(move.target, { seqOffset: 4, ...AFTER })).toMatchObject({ version: 2 });
  });

  test('a failed condition travels: its retry fails, though it would hold by now', () => {
    const move = copied();
    send(move.source, { seqOffset: 1 });
    move.catchUp();
    const failed = send(move.source, { seqOffset: 2, flags: Flag.ifAbsent });
    expect(failed).toEqual({ status: Status.conflict, version: 1 });
    move.finish();
    send(move.target, { seqOffset: 3, op: Op.delete, value: bytes(''), ...AFTER });
    expect(send(move.target, { seqOffset: 2, flags: Flag.ifAbsent, ...AFTER })).toEqual(failed);
    expect(textOf(get(move.target, 'k', 2))).toBe(`status ${Status.absent}`);
  });

  test('a floor travels: what lies below it is never executed again', () => {
    const move = copied();
    send(move.source, { seqOffset: 0 }, 1);
    send(move.source, { seqOffset: 0 }, 2);
    move.finish();
    expect(send(move.target, { seqOffset: 0, ...AFTER }, 1)).toEqual({ status: Status.belowFloor });
    expect(textOf(get(move.target, 'k', 2))).toBe('xx');
  });

  test('a refusal by the frozen source leaves no trace: the write is new where the shard went', () => {
    const move = copied();
    move.freeze();
    expect(send(move.source, { seqOffset: 1 })).toMatchObject({ status: Status.moved });
    expect(send(move.target, { seqOffset: 1, ...AFTER })).toMatchObject({ status: Status.notReady });
    move.activate();
    expect(send(move.target, { seqOffset: 1, ...AFTER })).toMatchObject({ status: Status.ok, version: 1 });
  });

  test('rows that nobody wrote back yet travel with the rest', () => {
    // A cache that is never full keeps the row in memory until it is asked for.
    const move = copied();
    for (let at = 0; at < 20; at++) send(move.source, { seqOffset: at });
    const outcome = answered(move.freeze(), MoveAnswer.frozen);
    move.takeDelta(outcome.delta);
    expect(move.activate()).toEqual({ answer: MoveAnswer.active });
    for (let at = 0; at < 20; at++) {
      expect(send(move.target, { seqOffset: at, ...AFTER })).toMatchObject({ version: at + 1 });
    }
  });

  test('a row of the copy before is not found in the one that came back', () => {
    const a = Rig.serving([0], { gid: 7 });
    const b = new Rig({ gid: 8 });
    send(a, { seqOffset: 0 });
    new Move(a, b, { moveId: 10 }).run();
    send(b, { seqOffset: 1, ...AFTER });
    expect(new Move(b, a, { moveId: 11, epoch: 2 }).run()).toEqual({ answer: MoveAnswer.active });
    // Its cache still holds the row as it was before the shard left.
    expect(send(a, { seqOffset: 1, epoch: 3 })).toMatchObject({ version: 2 });
    expect(send(a, { seqOffset: 2, epoch: 3 })).toMatchObject({ version: 3 });
    expect(textOf(get(a, 'k', 3))).toBe('xxx');
    expect(a.group.digest(0)).toEqual(digestsOf(a, 0));
  });
});

describe('time over a move', () => {
  test('goes on from where the source stopped, in a group whose log is behind', () => {
    const move = copied((rig) => rig.put('t', 'x', { flags: Flag.ttl, ttl: 1000 }));
    move.source.now += 1000;
    move.source.put('other', 'x');
    expect(textOf(move.source.get('t'))).toBe(`status ${Status.absent}`);
    move.target.now -= 500_000;
    move.finish();
    expect(move.taken.timeFloor).toBe(move.source.now);
    // What has expired once does not live again.
    expect(textOf(get(move.target, 't', 2))).toBe(`status ${Status.absent}`);
    expect(move.target.put('t', 'y', { ...AFTER, flags: Flag.ifPresent })).toMatchObject({
      status: Status.conflict,
    });
    expect(move.target.group.dueAt()).toBe(0);
    move.target.apply(move.target.group.timeEntry(move.target.now) as Uint8Array);
    expect(move.taken).toMatchObject({ recordCount: 1, timeFloor: move.source.now });
  });

  test('is at least that of the freeze', () => {
    const move = copied();
    move.source.now += 77;
    const { facts } = answered(move.freeze(), MoveAnswer.frozen);
    expect(facts.time).toBe(move.source.now);
    const back = copied();
    back.source.now = 5;
    expect(answered(back.freeze(), MoveAnswer.frozen).facts.time).toBe(1_000_000);
  });

  test('handed over twice never goes back', () => {
    const a = Rig.serving([0], { gid: 7 });
    const b = new Rig({ gid: 8 });
    const c = new Rig({ gid: 9 });
    a.now += 600_000;
    b.now = 10;
    c.now = 20;
    new Move(a, b, { moveId: 10 }).run();
    const on = new Move(b, c, { moveId: 11, epoch: 2 });
    on.run();
    expect(on.taken.timeFloor).toBe(1_600_000);
  });

  test('keeps a session expired that expired in the source', () => {
    const old = sessionOf(1_000_000, 3);
    const move = copied((rig) => rig.batch([command({})], { session: old }));
    move.source.now += sessionLimits.life;
    move.source.apply(move.source.group.timeEntry(move.source.now) as Uint8Array);
    move.finish();
    expect(move.taken.rowCount).toBe(0);
    expect(move.target.batch([command(AFTER)], { session: old })).toEqual([
      { status: Status.sessionExpired },
    ]);
  });

  test('entries for a shard that is not served are passed over, in both groups', () => {
    const move = copied((rig) => rig.put('t', 'x', { flags: Flag.ttl, ttl: 10 }));
    move.freeze();
    const states = (): unknown => [
      contentOf(move.source, 0),
      contentOf(move.target, 0),
      move.given,
      move.taken,
    ];
    const before = states();
    for (const rig of [move.source, move.target]) rig.time([{ shard: 0, items: 10 }], rig.now + 5_000_000);
    expect(states()).toEqual(before);
    expect(move.activate()).toEqual({ answer: MoveAnswer.active });
  });
});

describe('an importing shard', () => {
  test('begins anew at a later base, and what it had goes', () => {
    const move = copied((rig) => rig.put('a', 'x'));
    move.source.put('b', 'x');
    expect(move.beginImport(move.staging.pos)).toMatchObject({ isComplete: true });
    expect(move.beginImport(2)).toEqual({
      answer: MoveAnswer.staged,
      cursor: new Uint8Array(0),
      isComplete: false,
      pos: 2,
    });
    expect(move.taken).toMatchObject({
      recordCount: 0,
      rowCount: 0,
      recordBytes: 0,
      generation: move.target.index,
    });
    move.copy();
    expect(move.finish()).toEqual({ answer: MoveAnswer.active });
  });

  test('is copied again from a source that trimmed its index too far', () => {
    const move = copied((rig) => rig.put('a', 'x'));
    for (let at = 0; at < 5; at++) move.source.put('b', `${at}`);
    move.trim(4);
    expect(() => move.changes()).toThrow(/verdict/);
    expect(move.freeze()).toMatchObject({ answer: MoveAnswer.notYet, r0: 4 });
    move.beginImport(4);
    move.copy();
    expect(move.finish()).toEqual({ answer: MoveAnswer.active });
    expect(contentOf(move.target, 0)).toEqual(contentOf(move.source, 0));
  });

  test('takes changes while pages are still to come', () => {
    const move = rigs();
    for (let at = 0; at < 60; at++) move.source.put(`k${String(at).padStart(2, '0')}`, 'x'.repeat(10_000));
    move.begin();
    move.takePage();
    const behind = utf8Decode(move.staging.cursor.subarray(1));
    move.source.put('k00', 'new');
    move.source.put(behind, 'new');
    move.source.put('k59', 'new');
    move.catchUp();
    expect(move.staging).toMatchObject({ pos: 63, isComplete: false });
    // An older page would bring back what the changes have passed.
    const old = move.page(move.staging.cursor, 0);
    move.source.put('k58', 'new');
    move.catchUp();
    expect(move.takePage(old.page)).toMatchObject({ isComplete: false, cursor: bytes(`\u0001${behind}`) });
    move.copy();
    expect(move.finish()).toEqual({ answer: MoveAnswer.active });
    expect(contentOf(move.target, 0)).toEqual(contentOf(move.source, 0));
  });
});
