import { GID_MAX } from '@flotilla/base';
import { limits, type ReplicaPlace } from '@flotilla/wire';
import { expect, test } from 'vitest';
import type { FoundCommand } from './command.ts';
import { controllerLimits } from './format.ts';
import { ControllerBench, joinCommand, refusedBy, storeRecord } from './testing/bench.ts';

function founded(shardCount = 64, stores = 6): ControllerBench {
  const bench = new ControllerBench();
  bench.found(shardCount, stores);
  return bench;
}

const founding: FoundCommand = {
  kind: 'found',
  clusterId: 'c1',
  shardCount: 8,
  replicas: [{ raftId: 1, storeId: 's1', storeIncarnation: 's1-a' }],
  stores: [storeRecord('s1')],
};

test('the founding names the members of the controller group, and its repeat is a success', () => {
  const bench = new ControllerBench();
  bench.ok(founding);
  expect(bench.config.controller).toEqual({
    gid: 0,
    incarnation: 0,
    replicas: founding.replicas,
    leaving: false,
  });
  expect(bench.group.clusterId).toBe('c1');
  bench.ok({ kind: 'registerStore', ...storeRecord('s2') });
  expect(bench.ok(founding)).toMatchObject({ changed: false, configNumber: 2 });
  expect(bench.config.shards).toHaveLength(8);
});

test('a cluster is founded once: another id or number of shards is refused', () => {
  const bench = new ControllerBench();
  bench.ok(founding);
  const otherId = refusedBy(bench, () => bench.run({ ...founding, clusterId: 'c2' }));
  expect(otherId).toMatchObject({ code: 'other-cluster' });
  expect(otherId.message).toContain('c1');
  expect(refusedBy(bench, () => bench.run({ ...founding, shardCount: 9 }))).toMatchObject({
    code: 'other-cluster',
  });
});

test('a founding whose members do not fit its stores is refused', () => {
  const replica = founding.replicas[0] as ReplicaPlace;
  const bad: Partial<FoundCommand>[] = [
    { replicas: [] },
    { replicas: [{ ...replica, storeIncarnation: 'other' }] },
    { replicas: [{ ...replica, storeId: 's2' }] },
    { replicas: [replica, { ...replica, raftId: 2 }] },
    { replicas: [replica, { ...replica, storeId: 's2', storeIncarnation: 's2-a' }] },
    { stores: [storeRecord('s1'), storeRecord('s1')] },
    { shardCount: 0 },
  ];
  for (const part of bad) {
    const bench = new ControllerBench();
    refusedBy(bench, () => bench.run({ ...founding, ...part }));
  }
});

test('a cluster has at most 4,096 shards', () => {
  const bench = new ControllerBench();
  const most = { ...founding, shardCount: limits.shardCountMax };
  refusedBy(bench, () => bench.run({ ...most, shardCount: limits.shardCountMax + 1 }));
  bench.ok(most);
  bench.join({ 1: 's1' });
  expect(bench.sizes()).toEqual({ 1: 4096 });
  bench.doneAll();
  bench.reload();
  expect(bench.config.shards.every((shard) => shard.owner === 1 && shard.epoch === 1)).toBe(true);
});

test('the first join assigns all shards, half each, by moves without a source', () => {
  const bench = founded(64);
  const answer = bench.ok(joinCommand({ 2: 's3 s2 s1', 1: 's1 s2 s3' }));
  expect(answer.message).toBe(
    'group 1 founded on s1, s2, s3\ngroup 2 founded on s3, s2, s1\n64 shards are assigned: 32 to group 1, 32 to group 2',
  );
  expect(bench.config.cause).toBe('join 1, 2');
  expect(bench.sizes()).toEqual({ 1: 32, 2: 32 });
  expect(bench.config.groups.map((group) => [group.gid, group.incarnation])).toEqual([
    [1, 2],
    [2, 2],
  ]);
  expect(bench.config.groups[1]?.replicas).toEqual([
    { raftId: 1, storeId: 's3', storeIncarnation: 's3-a' },
    { raftId: 2, storeId: 's2', storeIncarnation: 's2-a' },
    { raftId: 3, storeId: 's1', storeIncarnation: 's1-a' },
  ]);
  for (const shard of bench.config.shards) {
    expect(shard).toMatchObject({ owner: 0, epoch: 0, intent: { moveId: 2, phase: 0, paused: false } });
  }
});

test('done gives the shard to its target at the next epoch and closes the move', () => {
  const bench = founded(4);
  bench.join({ 5: 's1' });
  const answer = bench.ok({ kind: 'done', moves: [{ shard: 2, moveId: 2 }] });
  expect(answer).toMatchObject({ configNumber: 3, changed: true, message: '1 move done' });
  expect(bench.config.cause).toBe('done move 2 of shard 2');
  expect(bench.config.shards[2]).toEqual({ owner: 5, epoch: 1, intent: undefined, pinned: false });
  expect(bench.config.shards[1]?.owner).toBe(0);
});

test('done of another move than the open one, or of none, does nothing', () => {
  const bench = founded(4);
  bench.join({ 5: 's1' });
  const moves = [
    { shard: 0, moveId: 1 },
    { shard: 1, moveId: 3 },
  ];
  expect(bench.ok({ kind: 'done', moves })).toMatchObject({ changed: false, configNumber: 2 });
  bench.doneAll();
  expect(bench.ok({ kind: 'done', moves: [{ shard: 0, moveId: 2 }] })).toMatchObject({
    changed: false,
    configNumber: 3,
  });
  expect(bench.config.shards[0]?.epoch).toBe(1);
});

test('many shards are done by one command and one config, a shard named twice once', () => {
  const bench = founded(4);
  bench.join({ 5: 's1' });
  const moves = [3, 0, 1, 0, 9].map((shard) => ({ shard: shard % 9, moveId: shard === 1 ? 1 : 2 }));
  expect(bench.ok({ kind: 'done', moves })).toMatchObject({ configNumber: 3, message: '2 moves done' });
  expect(bench.config.cause).toBe('done move 2 of shards 0, 3');
  expect(bench.config.shards.map((shard) => shard.epoch)).toEqual([1, 0, 0, 1]);
});

test('done of a shard that the cluster does not have is refused as a whole', () => {
  const bench = founded(4);
  bench.join({ 5: 's1' });
  const moves = [
    { shard: 0, moveId: 2 },
    { shard: 4, moveId: 2 },
  ];
  expect(refusedBy(bench, () => bench.run({ kind: 'done', moves }))).toMatchObject({ code: 'bad-request' });
});

test('the same join with the same stores is a success that changes nothing, in any order of stores', () => {
  const bench = founded();
  bench.join({ 1: 's1 s2 s3' });
  const config = bench.config;
  const answer = bench.ok(joinCommand({ 1: 's3 s1 s2' }));
  expect(answer).toMatchObject({ changed: false, configNumber: 2 });
  expect(answer.message).toBe('group 1 exists on these stores already');
  expect(bench.config).toBe(config);
});

test('a join of an old and a new group founds the new one', () => {
  const bench = founded();
  bench.join({ 1: 's1 s2 s3' });
  expect(bench.ok(joinCommand({ 1: 's1 s2 s3', 2: 's4 s5 s6' }))).toMatchObject({ changed: true });
  expect(bench.config.cause).toBe('join 2');
  expect(bench.config.groups.map((group) => [group.gid, group.incarnation])).toEqual([
    [1, 2],
    [2, 3],
  ]);
});

test('a group that is joined again with other stores is refused, naming both sets', () => {
  const bench = founded();
  bench.join({ 1: 's1 s2 s3' });
  const answer = refusedBy(bench, () => bench.join({ 1: 's1 s2 s4', 2: 's1' }));
  expect(answer.code).toBe('group-exists');
  expect(answer.message).toContain('s1, s2, s3');
  expect(answer.message).toContain('s1, s2, s4');
  expect(refusedBy(bench, () => bench.join({ 1: 's1 s2' })).code).toBe('group-exists');
});

test('an unknown store in a join is refused with the known stores and what to do', () => {
  const bench = founded(4, 3);
  const answer = refusedBy(bench, () => bench.join({ 1: 's1 s2 s9' }));
  expect(answer.code).toBe('unknown-store');
  expect(answer.message).toBe(
    'store s9 is not known, so group 1 cannot run there. Known stores: s1, s2, s3. Check the name, or start the ' +
      'store first: flotilla store --id s9 --listen HOST:PORT --data DIR --join s1:7400',
  );
});

test('a group has 1 to 7 replicas on different stores', () => {
  const bench = founded(64, 8);
  expect(refusedBy(bench, () => bench.join({ 1: '' })).code).toBe('bad-replicas');
  expect(refusedBy(bench, () => bench.join({ 1: 's1 s2 s1' })).message).toContain('store s1 is named twice');
  expect(refusedBy(bench, () => bench.join({ 1: 's1 s2 s3 s4 s5 s6 s7 s8' })).message).toContain('at most 7');
  bench.ok(joinCommand({ 1: 's1 s2 s3 s4 s5 s6 s7' }));
  expect(bench.config.groups[0]?.replicas).toHaveLength(7);
});

test('even numbers of replicas and more than five are warned of', () => {
  const bench = founded(64, 7);
  expect(bench.ok(joinCommand({ 1: 's1 s2 s3' })).message).not.toContain('warning');
  expect(bench.ok(joinCommand({ 2: 's1' })).message).not.toContain('warning');
  expect(bench.ok(joinCommand({ 3: 's1 s2' })).message).toContain('warning: group 3 has 2 replicas');
  expect(bench.ok(joinCommand({ 4: 's1 s2 s3 s4 s5' })).message).not.toContain('warning');
  const six = bench.ok(joinCommand({ 5: 's1 s2 s3 s4 s5 s6' })).message;
  expect(six.match(/warning/g)).toHaveLength(2);
});

test('a join names each group once and at least one', () => {
  const bench = founded();
  const twice = { gid: 1, stores: ['s1'] };
  refusedBy(bench, () => bench.run({ kind: 'join', groups: [] }));
  refusedBy(bench, () => bench.run({ kind: 'join', groups: [twice, twice] }));
  refusedBy(bench, () => bench.run({ kind: 'join', groups: [{ gid: GID_MAX + 1, stores: ['s1'] }] }));
  bench.ok({ kind: 'join', groups: [{ gid: GID_MAX, stores: ['s1'] }] });
});

test('a join founds at most 256 groups', () => {
  const bench = founded();
  const groups = Array.from({ length: 257 }, (_, at) => ({ gid: at + 1, stores: ['s1'] }));
  refusedBy(bench, () => bench.run({ kind: 'join', groups }));
  const answer = bench.ok({ kind: 'join', groups: groups.slice(0, controllerLimits.groupsPerChange) });
  expect(answer.message.length).toBeLessThanOrEqual(4000);
  expect(bench.config.groups).toHaveLength(256);
  expect(bench.config.cause.length).toBeLessThanOrEqual(300);
});

test('a cluster has at most 4,096 groups', () => {
  const bench = founded(1);
  for (let first = 1; first <= limits.groupsMax; first += 256) {
    const groups = Array.from({ length: 256 }, (_, at) => ({ gid: first + at, stores: ['s1'] }));
    bench.ok({ kind: 'join', groups });
  }
  expect(bench.config.groups).toHaveLength(limits.groupsMax);
  expect(refusedBy(bench, () => bench.join({ 5000: 's1' })).code).toBe('limit-reached');
  bench.reload();
  expect(bench.config.groups).toHaveLength(limits.groupsMax);
});

test('a later join moves owned shards: the fewest that make it even, by intents with the number of its config', () => {
  const bench = founded(64);
  bench.join({ 1: 's1 s2 s3', 2: 's1 s2 s3' });
  bench.doneAll();
  const before = bench.config;
  const answer = bench.ok(joinCommand({ 3: 's4 s5 s6' }));
  expect(answer.message).toBe('group 3 founded on s4, s5, s6\n21 shards move to group 3; see flotilla moves');
  const moving = bench.config.shards.filter((shard) => shard.intent !== undefined);
  expect(moving).toHaveLength(21);
  for (const { owner, epoch, intent } of moving) {
    expect([1, 2]).toContain(owner);
    expect(epoch).toBe(1);
    expect(intent).toEqual({ moveId: 4, target: 3, phase: 0, paused: false, next: 0 });
  }
  for (const [shard, record] of bench.config.shards.entries()) {
    if (record.intent === undefined) expect(record).toBe(before.shards[shard]);
  }
  bench.doneAll();
  expect(bench.config.cause).toMatch(/^done move 4 of shards /);
  expect(bench.sizes()).toEqual({ 1: 22, 2: 21, 3: 21 });
});

test('a join while first assignments are open turns only those round that the new group needs', () => {
  const bench = founded(64);
  bench.join({ 1: 's1 s2 s3' });
  const answer = bench.ok(joinCommand({ 3: 's4 s5 s6' }));
  expect(answer.message).toBe(
    'group 3 founded on s4, s5, s6\n32 shards are assigned to group 3\n' +
      '32 open moves are cancelled, as far as it is not too late',
  );
  expect(bench.sizes()).toEqual({ 1: 32, 3: 32 });
  bench.settleAll();
  expect(bench.config.shards.filter((shard) => shard.owner === 3)).toHaveLength(32);
  expect(bench.config.shards.every((shard) => shard.epoch === 1)).toBe(true);
});

test('more groups than shards leave some empty without a word about moving', () => {
  const bench = founded(2);
  const answer = bench.ok(joinCommand({ 1: 's1', 2: 's2', 3: 's3' }));
  expect(bench.sizes()).toEqual({ 1: 1, 2: 1, 3: 0 });
  expect(answer.message).not.toContain('move');
});

test('a store registers, and again with a higher version of its address', () => {
  const bench = founded(4, 3);
  bench.ok({ kind: 'registerStore', ...storeRecord('s0') });
  expect(bench.config.stores.map((store) => store.storeId)).toEqual(['s0', 's1', 's2', 's3']);
  const moved = { ...storeRecord('s0'), address: 'elsewhere:1', addressVersion: 2, zone: 'b' };
  expect(bench.ok({ kind: 'registerStore', ...moved })).toMatchObject({ changed: true, configNumber: 3 });
  expect(bench.config.stores[0]).toEqual(moved);
  expect(bench.ok({ kind: 'registerStore', ...moved })).toMatchObject({ changed: false });
  expect(bench.ok({ kind: 'registerStore', ...storeRecord('s0') })).toMatchObject({ changed: false });
  expect(bench.config.stores[0]).toEqual(moved);
  expect(bench.config.number).toBe(3);
});

test('two addresses under one version are refused: two processes may be using one store id', () => {
  const bench = founded(4, 3);
  const answer = refusedBy(bench, () =>
    bench.run({ kind: 'registerStore', ...storeRecord('s1'), address: 'elsewhere:1' }),
  );
  expect(answer.code).toBe('stale-store');
  expect(answer.message).toContain('s1:7400');
  expect(answer.message).toContain('elsewhere:1');
});

test('a new incarnation is recorded and gets none of the old replicas', () => {
  const bench = founded(4, 3);
  bench.join({ 1: 's1 s2 s3' });
  bench.ok({ kind: 'registerStore', ...storeRecord('s2', 's2-b') });
  expect(bench.config.stores[1]?.incarnation).toBe('s2-b');
  expect(bench.config.groups[0]?.replicas[1]?.storeIncarnation).toBe('s2-a');
  expect(bench.config.controller.replicas[1]?.storeIncarnation).toBe('s2-a');
  bench.join({ 2: 's2' });
  expect(bench.config.groups[1]?.replicas[0]?.storeIncarnation).toBe('s2-b');
});

test('a late registration of a former incarnation is refused, its restart is not', () => {
  const bench = founded(4, 3);
  const former = { ...storeRecord('s2'), addressVersion: 5 };
  bench.ok({ kind: 'registerStore', ...former });
  bench.ok({ kind: 'registerStore', ...storeRecord('s2', 's2-b') });
  bench.reload();
  for (const version of [1, 5]) {
    const late = { ...former, addressVersion: version };
    expect(refusedBy(bench, () => bench.run({ kind: 'registerStore', ...late })).code).toBe('stale-store');
  }
  bench.ok({ kind: 'registerStore', ...former, addressVersion: 6 });
  expect(bench.config.stores[1]?.incarnation).toBe('s2-a');
  expect(
    refusedBy(bench, () => bench.run({ kind: 'registerStore', ...storeRecord('s2', 's2-b') })).code,
  ).toBe('stale-store');
});

test('a cluster has at most 1,024 stores', () => {
  const bench = founded(1, limits.storesMax - 1);
  bench.ok({ kind: 'registerStore', ...storeRecord(`s${limits.storesMax}`) });
  expect(bench.config.stores).toHaveLength(limits.storesMax);
  const answer = refusedBy(bench, () => bench.run({ kind: 'registerStore', ...storeRecord('one-more') }));
  expect(answer.code).toBe('limit-reached');
  bench.ok({ kind: 'registerStore', ...storeRecord('s7', 'new-disk') });
});

test('the facts of a store have limits, at which they are still accepted', () => {
  const bench = founded(1, 3);
  const most = {
    storeId: 'x'.repeat(64),
    incarnation: 'i'.repeat(controllerLimits.incarnationBytes),
    address: 'a'.repeat(limits.addressBytes),
    addressVersion: Number.MAX_SAFE_INTEGER,
    zone: 'ü'.repeat(controllerLimits.zoneBytes / 2),
  };
  const bad = [
    { storeId: 'x'.repeat(65) },
    { storeId: '-x' },
    { incarnation: '' },
    { incarnation: `${most.incarnation}i` },
    { address: '' },
    { address: `${most.address}a` },
    { addressVersion: -1 },
    { addressVersion: 2 ** 53 },
    { zone: `${most.zone}z` },
  ];
  for (const part of bad) {
    const answer = refusedBy(bench, () => bench.run({ kind: 'registerStore', ...most, ...part }));
    expect(answer.code).toBe('bad-request');
  }
  bench.ok({ kind: 'registerStore', ...most });
  bench.reload();
  expect(bench.config.stores.at(-1)).toEqual(most);
});
