import { limits, MovePhase } from '@flotilla/wire';
import { expect, test } from 'vitest';
import type { ReportedMove } from './command.ts';
import { ControllerBench, joinCommand, refusedBy } from './testing/bench.ts';

/** Twelve shards of groups 1 to `groups`. */
function serving(groups = 3): ControllerBench {
  const bench = new ControllerBench();
  bench.found(12, 6);
  for (let gid = 1; gid <= groups; gid++) bench.ok(joinCommand({ [gid]: 's1 s2 s3' }));
  bench.settleAll();
  return bench;
}

function ownedBy(bench: ControllerBench, gid: number): number {
  return bench.config.shards.findIndex((shard) => shard.owner === gid && shard.intent === undefined);
}

function move(shard: number, gid: number) {
  return { kind: 'move', shard, gid } as const;
}

/** A move by hand from group 1 to group 2. */
function moving(bench: ControllerBench): ReportedMove {
  const shard = ownedBy(bench, 1);
  bench.ok(move(shard, 2));
  return { shard, moveId: bench.config.number };
}

function record(bench: ControllerBench, { shard }: ReportedMove) {
  return bench.config.shards[shard];
}

function order(kind: 'cancel' | 'pause' | 'resume', moveId: number, shard?: number) {
  return { kind, moveId, shard };
}

test('a move by hand makes an intent and pins the shard until the next join or leave', () => {
  const bench = serving();
  const { shard, moveId } = moving(bench);
  expect(bench.config.cause).toBe(`move shard ${shard} to group 2`);
  expect(bench.config.shards[shard]).toMatchObject({
    owner: 1,
    pinned: true,
    intent: { moveId, target: 2, phase: MovePhase.moving, paused: false, next: 0 },
  });
  bench.doneAll();
  expect(bench.config.shards[shard]).toMatchObject({ owner: 2, pinned: true });
  bench.ok({ kind: 'rebalance', loads: new Uint8Array(0) });
  bench.doneAll();
  expect(bench.config.shards[shard]?.owner).toBe(2);
  for (const change of [joinCommand({ 4: 's1' }), { kind: 'leave', gids: [4] } as const]) {
    bench.ok(move(shard, 3));
    bench.doneAll();
    bench.ok(change);
    expect(bench.config.shards.some((each) => each.pinned)).toBe(false);
    bench.doneAll();
  }
});

test('a join that finds its group there leaves what was placed by hand', () => {
  const bench = serving();
  const pinned = moving(bench);
  expect(bench.ok(joinCommand({ 1: 's1 s2 s3' }))).toMatchObject({ changed: false });
  expect(record(bench, pinned)?.pinned).toBe(true);
});

test('a move to where the shard is or goes already is a success that changes nothing', () => {
  const bench = serving();
  const { shard } = moving(bench);
  expect(bench.ok(move(shard, 2))).toMatchObject({
    changed: false,
    message: `shard ${shard} is on its way to group 2 already`,
  });
  const other = ownedBy(bench, 3);
  expect(bench.ok(move(other, 3))).toMatchObject({
    changed: false,
    message: `shard ${other} is at group 3 already`,
  });
});

test('a move of an unknown shard, to an unknown group or to a leaving one is refused', () => {
  const bench = serving();
  expect(refusedBy(bench, () => bench.run(move(12, 1)))).toMatchObject({
    code: 'unknown-shard',
    message: 'shard 12 does not exist: the cluster has shards 0 to 11',
  });
  expect(refusedBy(bench, () => bench.run(move(11, 9))).code).toBe('unknown-group');
  expect(refusedBy(bench, () => bench.run(move(limits.shardCountMax, 1))).code).toBe('bad-request');
  expect(refusedBy(bench, () => bench.run(move(0, 0))).code).toBe('bad-request');
  bench.ok({ kind: 'leave', gids: [3] });
  expect(refusedBy(bench, () => bench.run(move(ownedBy(bench, 1), 3))).code).toBe('group-leaving');
});

test('a shard with an open move elsewhere goes on when that one has ended, either way', () => {
  for (const end of ['cancelled', 'done'] as const) {
    const bench = serving();
    const first = moving(bench);
    expect(bench.ok(move(first.shard, 3)).message).toBe(
      `shard ${first.shard} goes to group 3 when its open move ${first.moveId} has ended; see flotilla moves`,
    );
    expect(record(bench, first)?.intent).toMatchObject({
      moveId: first.moveId,
      target: 2,
      phase: MovePhase.cancelling,
      next: 3,
    });
    bench.ok({ kind: end, moves: [first] });
    expect(record(bench, first)).toMatchObject({
      owner: end === 'done' ? 2 : 1,
      pinned: true,
      intent: { moveId: bench.config.number, target: 3, phase: MovePhase.moving, next: 0 },
    });
    expect(bench.config.cause).toBe(`${end} move ${first.moveId} of shard ${first.shard}; 1 shard to go on`);
  }
});

test('a move that is being cancelled is wanted again: it is cancelled, and begun anew', () => {
  const bench = serving();
  const first = moving(bench);
  bench.ok(move(first.shard, 3));
  bench.ok(move(first.shard, 2));
  expect(record(bench, first)?.intent).toMatchObject({ target: 2, phase: MovePhase.cancelling, next: 2 });
  bench.ok({ kind: 'cancelled', moves: [first] });
  expect(record(bench, first)).toMatchObject({ owner: 1, intent: { target: 2, next: 0 } });
  expect(record(bench, first)?.intent?.moveId).toBe(bench.config.number);
});

test('a move that is being cancelled for another goal and comes through is there if that goal came back', () => {
  const bench = serving();
  const first = moving(bench);
  bench.ok(move(first.shard, 3));
  bench.ok(move(first.shard, 2));
  bench.ok({ kind: 'tooLate', moves: [first] });
  expect(record(bench, first)?.intent).toMatchObject({ phase: MovePhase.moving, next: 2 });
  bench.ok({ kind: 'done', moves: [first] });
  expect(record(bench, first)).toMatchObject({ owner: 2, intent: undefined });
});

test('a move past cancelling is not cancelled again for a new goal: only where it goes on to changes', () => {
  const bench = serving();
  const first = moving(bench);
  bench.ok(move(first.shard, 3));
  bench.ok({ kind: 'tooLate', moves: [first] });
  bench.ok(move(first.shard, 1));
  expect(record(bench, first)?.intent).toMatchObject({ phase: MovePhase.moving, next: 1 });
  bench.ok(move(first.shard, 2));
  expect(record(bench, first)?.intent).toMatchObject({ phase: MovePhase.moving, next: 0 });
});

test('cancelled removes the intent and leaves owner and epoch, whatever the phase says', () => {
  const bench = serving();
  const first = moving(bench);
  const before = record(bench, first);
  expect(bench.ok({ kind: 'cancelled', moves: [first] })).toMatchObject({ message: '1 move cancelled' });
  expect(record(bench, first)).toEqual({ ...before, intent: undefined });
  expect(bench.ok({ kind: 'cancelled', moves: [first] })).toMatchObject({ changed: false });
});

test('too late makes a move go on, and says nothing new of one that goes on already', () => {
  const bench = serving();
  const first = moving(bench);
  expect(bench.ok({ kind: 'tooLate', moves: [first] })).toMatchObject({ changed: false });
  bench.ok(order('cancel', first.moveId));
  expect(bench.ok({ kind: 'tooLate', moves: [first] })).toMatchObject({ message: '1 move past cancelling' });
  expect(bench.config.cause).toBe(`too late to cancel move ${first.moveId} of shard ${first.shard}`);
  expect(record(bench, first)?.intent).toMatchObject({ phase: MovePhase.moving, next: 0 });
  bench.ok({ kind: 'done', moves: [first] });
  expect(record(bench, first)).toMatchObject({ owner: 2, epoch: 2, intent: undefined });
});

test('done counts in any phase, and reports of any other move than the open one do nothing', () => {
  const bench = serving();
  const first = moving(bench);
  const config = bench.config;
  for (const kind of ['done', 'cancelled', 'tooLate'] as const) {
    for (const moveId of [first.moveId - 1, first.moveId + 1, 0]) {
      expect(bench.ok({ kind, moves: [{ ...first, moveId }] })).toMatchObject({ changed: false });
    }
    expect(refusedBy(bench, () => bench.run({ kind, moves: [{ ...first, shard: 12 }] })).code).toBe(
      'bad-request',
    );
  }
  expect(bench.config).toBe(config);
  bench.ok(order('cancel', first.moveId));
  bench.ok({ kind: 'done', moves: [first] });
  expect(record(bench, first)).toMatchObject({ owner: 2, epoch: 2, intent: undefined });
});

test('a cancel asks for the end of all open moves of one config, or of one of them', () => {
  const bench = serving();
  bench.ok(joinCommand({ 4: 's4 s5 s6' }));
  const moveId = bench.config.number;
  const [first, second, third] = bench.open();
  if (first === undefined || second === undefined || third === undefined)
    throw new Error('three shards move');
  bench.ok(order('cancel', moveId, second.shard));
  expect(bench.config.cause).toBe(`cancel move ${moveId} of shard ${second.shard}`);
  const phases = () => [first, second, third].map((each) => record(bench, each)?.intent?.phase);
  expect(phases()).toEqual([MovePhase.moving, MovePhase.cancelling, MovePhase.moving]);
  bench.ok(order('cancel', moveId));
  expect(phases()).toEqual([MovePhase.cancelling, MovePhase.cancelling, MovePhase.cancelling]);
  expect(bench.ok(order('cancel', moveId))).toMatchObject({ changed: false });
  bench.settleAll();
  expect(bench.sizes()).toEqual({ 1: 4, 2: 4, 3: 4, 4: 0 });
});

test('a cancel keeps the shard where it is, although it should have gone on, and takes back the pin', () => {
  const bench = serving();
  const first = moving(bench);
  bench.ok(move(first.shard, 3));
  bench.ok(order('cancel', first.moveId));
  expect(record(bench, first)).toMatchObject({
    pinned: false,
    intent: { phase: MovePhase.cancelling, next: 0 },
  });
  bench.settleAll();
  expect(record(bench, first)).toMatchObject({ owner: 1, epoch: 1 });
});

test('an order to a move that is not open is refused, with the open ones', () => {
  const bench = serving();
  for (const kind of ['cancel', 'pause', 'resume'] as const) {
    expect(refusedBy(bench, () => bench.run(order(kind, 3))).message).toBe(
      `there is no open move 3 to ${kind}: no move is open; see flotilla moves`,
    );
  }
  const first = moving(bench);
  const other = refusedBy(bench, () => bench.run(order('cancel', first.moveId, 11)));
  expect(other).toMatchObject({ code: 'unknown-move', retry: 'never' });
  expect(other.message).toContain(`open moves: ${first.moveId}`);
});

test('what leaves a group that is leaving cannot be cancelled: it could not stay', () => {
  const bench = serving();
  bench.ok({ kind: 'leave', gids: [3] });
  const answer = refusedBy(bench, () => bench.run(order('cancel', bench.config.number)));
  expect(answer.code).toBe('group-leaving');
  expect(answer.message).toContain('join it again with its stores to keep its shards');
});

test('a first assignment that is cancelled is planned anew at once, if there is any group', () => {
  const bench = new ControllerBench();
  bench.found(4);
  bench.join({ 1: 's1', 2: 's2' });
  const [first] = bench.open();
  if (first === undefined) throw new Error('four shards are assigned');
  expect(bench.ok(order('cancel', 2, first.shard)).message).toContain('1 shard that nobody serves yet');
  expect(record(bench, first)?.intent).toMatchObject({ moveId: 2, phase: MovePhase.cancelling, next: 0 });
  bench.ok({ kind: 'cancelled', moves: [first] });
  expect(record(bench, first)).toMatchObject({ owner: 0, intent: { moveId: 4, target: 1, next: 0 } });
  bench.ok(order('cancel', 2));
  bench.ok({ kind: 'tooLate', moves: bench.open() });
  bench.doneAll();
  expect(bench.sizes()).toEqual({ 1: 2, 2: 2 });
});

test('a move cancelled by hand too late, into a group that leaves meanwhile, goes on to the smallest one', () => {
  const bench = serving();
  const first = moving(bench);
  // Group 1 is filled up, so that the leave cannot give the shard back to it.
  for (let count = 0; count < 3; count++) {
    const shard = ownedBy(bench, 3);
    bench.ok(move(shard, 1));
    bench.ok({ kind: 'done', moves: [{ shard, moveId: bench.config.number }] });
  }
  bench.ok({ kind: 'leave', gids: [2] });
  expect(record(bench, first)?.intent?.next).toBe(3);
  bench.ok(order('cancel', first.moveId));
  expect(record(bench, first)?.intent?.next).toBe(0);
  bench.ok({ kind: 'tooLate', moves: [first] });
  expect(record(bench, first)?.intent).toMatchObject({ phase: MovePhase.moving, target: 2, next: 3 });
  bench.settleAll();
  expect(record(bench, first)?.owner).toBe(3);
  expect(bench.config.groups.map((group) => group.gid)).toEqual([1, 3]);
});

test('a pause and a resume flip the move and nothing else, and may be repeated', () => {
  const bench = serving();
  const first = moving(bench);
  const moves = record(bench, first)?.intent;
  bench.ok(order('pause', first.moveId));
  expect(record(bench, first)?.intent).toEqual({ ...moves, paused: true });
  expect(bench.ok(order('pause', first.moveId, first.shard))).toMatchObject({ changed: false });
  bench.ok(order('resume', first.moveId, first.shard));
  expect(record(bench, first)?.intent).toEqual(moves);
  expect(bench.ok(order('resume', first.moveId))).toMatchObject({ changed: false });
});

test('a paused move that is not needed any more is cancelled', () => {
  const bench = serving();
  bench.ok(joinCommand({ 4: 's4' }));
  const moves = bench.open();
  bench.ok(order('pause', bench.config.number));
  bench.ok({ kind: 'leave', gids: [4] });
  for (const each of moves) expect(record(bench, each)?.intent?.phase).toBe(MovePhase.cancelling);
  bench.settleAll();
  expect(bench.sizes()).toEqual({ 1: 4, 2: 4, 3: 4 });
});

test('the policy changes in what is named, within its bounds, and a repeat changes nothing', () => {
  const bench = serving();
  const given = { auto: undefined, moveBytesPerSecond: undefined, movesPerStore: undefined };
  const policy = (parts: Partial<Record<keyof typeof given, unknown>>) =>
    ({ kind: 'policy', ...given, ...parts }) as { readonly kind: 'policy' } & typeof given;
  expect(bench.ok(policy({}))).toMatchObject({ changed: false });
  expect(bench.config.policy).toEqual({ auto: false, moveBytesPerSecond: 4_194_304, movesPerStore: 2 });
  bench.ok(policy({ auto: true, moveBytesPerSecond: 0 }));
  expect(bench.config.cause).toBe(
    'policy: balancing by load by itself; moves as fast as it goes into a store, 2 at a time',
  );
  bench.ok(policy({ movesPerStore: limits.movesPerStoreMax }));
  bench.reload();
  expect(bench.config.policy).toEqual({ auto: true, moveBytesPerSecond: 0, movesPerStore: 64 });
  expect(bench.ok(policy({ movesPerStore: 64, auto: true }))).toMatchObject({ changed: false });
  const bad = [
    { movesPerStore: 0 },
    { movesPerStore: limits.movesPerStoreMax + 1 },
    { moveBytesPerSecond: -1 },
    { moveBytesPerSecond: 0.5 },
    { moveBytesPerSecond: 2 ** 53 },
    { auto: 1 },
  ];
  for (const parts of bad) expect(refusedBy(bench, () => bench.run(policy(parts))).code).toBe('bad-request');
});
