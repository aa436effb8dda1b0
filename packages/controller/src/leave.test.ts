import { MovePhase, type ShardRecord } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { dismantle } from './dismantle.ts';
import { controllerLimits } from './format.ts';
import { ControllerBench, joinCommand, refusedBy } from './testing/bench.ts';

/** Shards owned by the groups named, all on `s1 s2 s3`. */
function serving(shardCount: number, ...gids: number[]): ControllerBench {
  const bench = new ControllerBench();
  bench.found(shardCount, 6);
  bench.ok(joinCommand(Object.fromEntries(gids.map((gid) => [gid, 's1 s2 s3']))));
  bench.doneAll();
  return bench;
}

function leave(...gids: number[]) {
  return { kind: 'leave', gids } as const;
}

test('a leave gives the shards of the group to the others, and the group ends with the last of them', () => {
  const bench = serving(12, 1, 2, 3);
  expect(bench.ok(leave(2))).toMatchObject({
    configNumber: 4,
    changed: true,
    message:
      'group 2 leaves\n4 shards move: 2 to group 1, 2 to group 3; see flotilla moves\ngroup 2 goes with the last shard',
  });
  expect(bench.config.cause).toBe('leave 2');
  expect(bench.config.groups.map((group) => group.leaving)).toEqual([false, true, false]);
  expect(bench.sizes()).toEqual({ 1: 6, 2: 0, 3: 6 });
  const moves = bench.open();
  expect(moves).toHaveLength(4);
  bench.ok({ kind: 'done', moves: moves.slice(0, 3) });
  expect(bench.config.groups).toHaveLength(3);
  bench.ok({ kind: 'done', moves });
  expect(bench.config.cause).toMatch(/^done move 4 of shard \d+; group 2 dismantled$/);
  expect(bench.config.groups.map((group) => group.gid)).toEqual([1, 3]);
});

test('several groups leave at once, and no shard goes to one that leaves as well', () => {
  const bench = serving(12, 1, 2, 3, 4);
  bench.ok(leave(4, 2));
  expect(bench.config.cause).toBe('leave 2, 4');
  expect(bench.open()).toHaveLength(6);
  for (const { intent } of bench.config.shards)
    if (intent !== undefined) expect([1, 3]).toContain(intent.target);
  bench.doneAll();
  expect(bench.sizes()).toEqual({ 1: 6, 3: 6 });
});

test('a group that holds nothing is dismantled by its leave', () => {
  const bench = serving(2, 1, 2, 3);
  expect(bench.ok(leave(3)).message).toBe('group 3 leaves; group 3 dismantled');
  expect(bench.config.cause).toBe('leave 3; group 3 dismantled');
  expect(bench.config.groups.map((group) => group.gid)).toEqual([1, 2]);
});

test('the last groups cannot leave while shards are owned: they would have nowhere to go', () => {
  const bench = serving(12, 1, 2);
  const both = refusedBy(bench, () => bench.run(leave(1, 2)));
  expect(both.code).toBe('no-group-left');
  expect(both.message).toContain('no other group stays');
  bench.ok(leave(1));
  expect(refusedBy(bench, () => bench.run(leave(2))).code).toBe('no-group-left');
  bench.doneAll();
  expect(refusedBy(bench, () => bench.run(leave(2))).code).toBe('no-group-left');
});

test('the last group may leave before anybody owns a shard, and goes when its assignments are called off', () => {
  const bench = new ControllerBench();
  bench.found(4);
  bench.join({ 1: 's1' });
  bench.ok(leave(1));
  for (const { intent } of bench.config.shards) {
    expect(intent).toMatchObject({ moveId: 2, phase: MovePhase.cancelling, next: 0 });
  }
  bench.settleAll();
  expect(bench.config.groups).toEqual([]);
  expect(bench.config.shards.every((shard) => shard.owner === 0 && shard.epoch === 0)).toBe(true);
  bench.join({ 1: 's1' });
  bench.doneAll();
  expect(bench.config.shards.every((shard) => shard.owner === 1 && shard.epoch === 1)).toBe(true);
});

test('what a leaving last group came to own nevertheless is moved by the next join', () => {
  const bench = new ControllerBench();
  bench.found(4);
  bench.join({ 1: 's1' });
  bench.ok(leave(1));
  bench.ok({ kind: 'tooLate', moves: bench.open() });
  bench.doneAll();
  expect(bench.config.groups).toMatchObject([{ gid: 1, leaving: true }]);
  expect(bench.config.shards.every((shard) => shard.owner === 1)).toBe(true);
  bench.join({ 2: 's2' });
  bench.doneAll();
  expect(bench.config.groups.map((group) => group.gid)).toEqual([2]);
  expect(bench.config.shards.every((shard) => shard.owner === 2 && shard.epoch === 2)).toBe(true);
});

test('a leave of an unknown group is refused as a whole, with the groups there are', () => {
  const bench = serving(12, 1, 2);
  const answer = refusedBy(bench, () => bench.run(leave(1, 9)));
  expect(answer.code).toBe('unknown-group');
  expect(answer.message).toBe('group 9 does not exist. Groups of this cluster: 1, 2');
});

test('a leave names each group once, at least one, and at most 256', () => {
  const bench = new ControllerBench();
  bench.found(1, 3);
  const gids = Array.from({ length: controllerLimits.groupsPerChange + 1 }, (_, at) => at + 1);
  const founded = (some: number[]) =>
    ({ kind: 'join', groups: some.map((gid) => ({ gid, stores: ['s1'] })) }) as const;
  bench.ok(founded(gids.slice(0, 200)));
  bench.ok(founded(gids.slice(200)));
  for (const bad of [[], [1, 1], gids]) {
    expect(refusedBy(bench, () => bench.run(leave(...bad))).code).toBe('bad-request');
  }
  const answer = bench.ok(leave(...gids.slice(1)));
  expect(answer.message.length).toBeLessThanOrEqual(4000);
  expect(bench.config.groups).toHaveLength(1);
});

test('a leave of a group that is leaving already is a success that changes nothing', () => {
  const bench = serving(12, 1, 2, 3);
  bench.ok(leave(3));
  const config = bench.config;
  expect(bench.ok(leave(3))).toMatchObject({ changed: false, configNumber: config.number });
  expect(bench.config).toBe(config);
  bench.ok(leave(3, 2));
  expect(bench.config.cause).toBe('leave 2');
});

test('a join with the same stores takes a leave back, and all shards stay with their owners', () => {
  const bench = serving(12, 1, 2, 3);
  bench.ok(leave(3));
  const answer = bench.ok(joinCommand({ 3: 's3 s2 s1' }));
  expect(answer.message).toBe(
    'group 3 stays after all\n4 open moves are cancelled, as far as it is not too late',
  );
  expect(bench.config.cause).toBe('join 3');
  expect(bench.config.groups.every((group) => !group.leaving)).toBe(true);
  expect(bench.config.groups[2]?.incarnation).toBe(2);
  bench.settleAll();
  expect(bench.config.shards.every((shard) => shard.epoch === 1)).toBe(true);
  expect(bench.sizes()).toEqual({ 1: 4, 2: 4, 3: 4 });
});

test('a leaving group cannot be joined with other stores', () => {
  const bench = serving(12, 1, 2, 3);
  bench.ok(leave(3));
  const answer = refusedBy(bench, () => bench.join({ 3: 's4 s5 s6' }));
  expect(answer.code).toBe('group-exists');
  expect(answer.message).toContain('it is leaving: wait until it is gone');
});

test('the id of a group that is gone may be used again, on any stores, as another incarnation', () => {
  const bench = serving(12, 1, 2, 3);
  bench.ok(leave(3));
  bench.doneAll();
  bench.ok(joinCommand({ 3: 's4 s5 s6' }));
  expect(bench.config.groups[2]).toMatchObject({ gid: 3, incarnation: bench.config.number, leaving: false });
  bench.doneAll();
  expect(bench.sizes()).toEqual({ 1: 4, 2: 4, 3: 4 });
});

test('a join that is left at once gives every shard back, those too that were past cancelling', () => {
  const bench = serving(12, 1, 2);
  const owners = bench.config.shards.map((shard) => shard.owner);
  bench.ok(joinCommand({ 3: 's4 s5 s6' }));
  const [first, second, ...others] = bench.open();
  if (first === undefined || second === undefined)
    throw new Error('a join of a third group moves four shards');
  bench.ok({ kind: 'done', moves: [first] });
  bench.ok(leave(3));
  bench.ok({ kind: 'cancelled', moves: others });
  bench.ok({ kind: 'tooLate', moves: [second] });
  expect(bench.config.shards[second.shard]?.intent).toMatchObject({
    moveId: second.moveId,
    target: 3,
    phase: MovePhase.moving,
    next: owners[second.shard],
  });
  bench.ok({ kind: 'done', moves: [second] });
  expect(bench.config.shards[second.shard]).toMatchObject({
    owner: 3,
    epoch: 2,
    intent: { moveId: bench.config.number, target: owners[second.shard], next: 0 },
  });
  bench.doneAll();
  expect(bench.config.shards.map((shard) => shard.owner)).toEqual(owners);
  expect(bench.config.groups.map((group) => group.gid)).toEqual([1, 2]);
});

test('a leaving group stays as long as a shard or an intent names it, in whatever part', () => {
  const group = { gid: 3, incarnation: 1, replicas: [], leaving: true };
  const rest = { owner: 1, epoch: 1, intent: undefined, pinned: false };
  const intent = { moveId: 2, target: 2, phase: MovePhase.cancelling, paused: false, next: 0 };
  const left = (...shards: ShardRecord[]) =>
    dismantle([group, { ...group, gid: 4, leaving: false }], shards).groups;
  expect(left(rest, { ...rest, intent })).toHaveLength(1);
  expect(left(rest, { ...rest, owner: 3 })).toHaveLength(2);
  expect(left(rest, { ...rest, intent: { ...intent, target: 3 } })).toHaveLength(2);
  expect(left(rest, { ...rest, intent: { ...intent, next: 3 } })).toHaveLength(2);
});

test('a group stays as long as an intent names it as the target of what is to be cancelled', () => {
  const bench = serving(12, 1, 2);
  bench.ok(joinCommand({ 3: 's4 s5 s6' }));
  bench.ok(leave(3));
  expect(bench.config.groups).toHaveLength(3);
  const moves = bench.open();
  bench.ok({ kind: 'cancelled', moves: moves.slice(1) });
  expect(bench.config.groups).toHaveLength(3);
  bench.ok({ kind: 'cancelled', moves });
  expect(bench.config.cause).toMatch(/^cancelled move 4 of shard \d+; group 3 dismantled$/);
  expect(bench.config.groups).toHaveLength(2);
});
