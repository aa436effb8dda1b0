import { DecodeError, InvariantError, Prng, Writer } from '@flotilla/base';
import { expect, test } from 'vitest';
import {
  type ClusterConfig,
  type ClusterPolicy,
  defaultPolicy,
  type GroupRecord,
  MovePhase,
  type ShardRecord,
  type StoreRecord,
  writeConfig,
} from './config.ts';
import {
  applyConfigDelta,
  type ConfigDelta,
  diffConfig,
  readConfigDelta,
  writeConfigDelta,
} from './config-delta.ts';

const shardCount = 12;

const empty: ClusterConfig = {
  number: 0,
  cause: '',
  author: '',
  atMs: 0,
  shards: [],
  groups: [],
  controller: { gid: 0, incarnation: 0, replicas: [], leaving: false },
  stores: [],
  policy: defaultPolicy,
};

const blank: ShardRecord = { owner: 0, epoch: 0, intent: undefined, pinned: false };

function randomGroup(random: Prng, gid: number): GroupRecord {
  const replicas = Array.from({ length: random.below(4) }, (_, at) => ({
    raftId: at + 1,
    storeId: `s${random.below(5)}`,
    storeIncarnation: `i${random.below(2)}`,
  }));
  return { gid, incarnation: random.below(3), replicas, leaving: random.chance(0.2) };
}

function randomShard(random: Prng, old: ShardRecord): ShardRecord {
  if (random.chance(0.5)) return old;
  if (random.chance(0.3)) return { ...old }; // Another object with the same content is no change.
  const intent = {
    moveId: random.below(9),
    target: random.below(4),
    phase: random.chance(0.5) ? MovePhase.moving : MovePhase.cancelling,
    paused: random.chance(0.5),
    next: random.below(3),
  };
  return {
    owner: random.below(4),
    epoch: old.epoch + random.below(2),
    intent: random.chance(0.5) ? intent : undefined,
    pinned: random.chance(0.3),
  };
}

function randomStore(random: Prng, at: number): StoreRecord {
  return {
    storeId: `s${at}`,
    incarnation: `i${random.below(2)}`,
    address: `host${random.below(2)}:1`,
    addressVersion: random.below(2),
    zone: random.chance(0.5) ? 'a' : 'ü',
  };
}

function randomPolicy(random: Prng): ClusterPolicy {
  return {
    auto: random.chance(0.5),
    moveBytesPerSecond: random.below(3) * 2 ** 40,
    movesPerStore: 1 + random.below(2),
  };
}

/** Not only what a controller would make: any map that may follow the old one. */
function randomNext(random: Prng, old: ClusterConfig): ClusterConfig {
  const shards = Array.from({ length: shardCount }, (_, shard) =>
    randomShard(random, old.shards[shard] ?? blank),
  );
  const kept = old.groups.filter(() => random.chance(0.8));
  const groups = [1, 2, 3, 4].flatMap((gid) => {
    if (random.chance(0.3)) return [randomGroup(random, gid)];
    return kept.filter((group) => group.gid === gid);
  });
  const stores = [0, 1, 2, 3].flatMap((at) => {
    if (random.chance(0.3)) return [randomStore(random, at)];
    return old.stores.filter((store) => store.storeId === `s${at}` && random.chance(0.9));
  });
  return {
    number: old.number + 1 + random.below(3),
    cause: `cause ${random.below(99)}`,
    author: 'tester',
    atMs: old.atMs + random.below(9),
    shards,
    groups,
    controller: random.chance(0.2) ? randomGroup(random, 0) : old.controller,
    stores,
    policy: random.chance(0.3) ? randomPolicy(random) : old.policy,
  };
}

function encoded(delta: ConfigDelta): Uint8Array {
  const out = new Writer();
  writeConfigDelta(out, delta);
  return out.finish();
}

test('a delta turns the older config into exactly the newer one, also over several steps', () => {
  const random = new Prng(7);
  for (let run = 0; run < 200; run++) {
    const configs: ClusterConfig[] = [empty];
    for (let step = 0; step < 5; step++)
      configs.push(randomNext(random, configs[configs.length - 1] as ClusterConfig));
    for (const [at, from] of configs.entries()) {
      for (const to of configs.slice(at + 1)) {
        const delta = diffConfig(from, to);
        const travelled = readConfigDelta(encoded(delta));
        expect(travelled).toEqual(delta);
        expect(applyConfigDelta(from, travelled)).toEqual(to);
      }
    }
  }
});

test('a delta of one shard in a large map is small, and the rest of the map is shared', () => {
  const shards = Array.from({ length: 4096 }, () => ({ ...blank, owner: 1, epoch: 1 }));
  const from: ClusterConfig = { ...empty, number: 5, shards };
  const to: ClusterConfig = {
    ...from,
    number: 6,
    cause: 'done move 5 of shard 17',
    shards: shards.map((shard, at) => (at === 17 ? { ...blank, owner: 2, epoch: 2 } : shard)),
  };
  const bytes = encoded(diffConfig(from, to));
  expect(bytes.length).toBeLessThan(120);
  const whole = new Writer();
  writeConfig(whole, to);
  expect(whole.length).toBeGreaterThan(30_000);
  const made = applyConfigDelta(from, readConfigDelta(bytes));
  expect(made?.shards[16]).toBe(from.shards[16]);
  expect(made?.groups).toBe(from.groups);
});

test('a delta names a shard whose pin or next goal alone changed, and the policy only where it differs', () => {
  const intent = { moveId: 4, target: 2, phase: MovePhase.cancelling, paused: false, next: 0 };
  const shard: ShardRecord = { owner: 1, epoch: 1, intent, pinned: false };
  const from: ClusterConfig = { ...empty, number: 5, shards: [shard, shard, shard] };
  const moved = { ...shard, intent: { ...intent, next: 3 } };
  const to = { ...from, number: 6, shards: [{ ...shard, pinned: true }, shard, moved] };
  const calm = diffConfig(from, to);
  expect(calm.shards.map((patch) => patch.shard)).toEqual([0, 2]);
  expect(calm.policy).toBeUndefined();
  expect(applyConfigDelta(from, readConfigDelta(encoded(calm)))).toEqual(to);
  for (const change of [{ auto: true }, { moveBytesPerSecond: 0 }, { movesPerStore: 64 }]) {
    const policy = { ...defaultPolicy, ...change };
    const delta = diffConfig(from, { ...from, number: 6, policy });
    expect(readConfigDelta(encoded(delta)).policy).toEqual(policy);
    expect(applyConfigDelta(from, delta)?.policy).toEqual(policy);
  }
});

test('a delta for another config is not applied', () => {
  const random = new Prng(1);
  const first = randomNext(random, empty);
  const second = randomNext(random, first);
  const delta = diffConfig(first, second);
  expect(applyConfigDelta(empty, delta)).toBeUndefined();
  expect(applyConfigDelta(second, delta)).toBeUndefined();
});

test('a delta never lowers an epoch', () => {
  const shard = (epoch: number): ShardRecord => ({ ...blank, owner: 1, epoch });
  const high: ClusterConfig = { ...empty, number: 1, shards: [shard(3)] };
  const low: ClusterConfig = { ...empty, number: 2, shards: [shard(2)] };
  expect(() => diffConfig(high, low)).toThrow(InvariantError);
  const forged = { ...diffConfig(high, { ...low, shards: [shard(4)] }), shards: [{ shard: 0, ...shard(2) }] };
  expect(() => applyConfigDelta(high, forged)).toThrow(DecodeError);
});

test('a delta that names a shard or a shard count that the map does not have is refused', () => {
  const map: ClusterConfig = { ...empty, number: 1, shards: [{ ...blank, owner: 1, epoch: 1 }] };
  const delta = diffConfig(map, { ...map, number: 2 });
  const beyond = { ...delta, shards: [{ shard: 1, ...blank, owner: 1, epoch: 1 }] };
  expect(() => applyConfigDelta(map, beyond)).toThrow(DecodeError);
  expect(() => applyConfigDelta(map, { ...delta, shardCount: 2 })).toThrow(DecodeError);
});

test('a delta does not go back in numbers', () => {
  const delta = diffConfig(empty, { ...empty, number: 2 });
  expect(() => readConfigDelta(encoded({ ...delta, from: 2 }))).toThrow(DecodeError);
  expect(() => diffConfig({ ...empty, number: 2 }, { ...empty, number: 2 })).toThrow(InvariantError);
});

test('no cut or damaged delta is read as another error than a decoding error', () => {
  const random = new Prng(3);
  const bytes = encoded(diffConfig(empty, randomNext(random, empty)));
  for (let length = 0; length < bytes.length; length++) {
    expect(() => readConfigDelta(bytes.subarray(0, length))).toThrow(DecodeError);
  }
  for (let run = 0; run < 2000; run++) {
    const damaged = bytes.slice();
    damaged[random.below(damaged.length)] = random.below(256);
    try {
      readConfigDelta(damaged);
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError);
    }
  }
});
