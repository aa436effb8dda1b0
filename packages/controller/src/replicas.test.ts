import { Prng, prefixEnd } from '@flotilla/base';
import { applyConfigDelta, diffConfig } from '@flotilla/wire';
import { expect, test } from 'vitest';
import type { ControllerCommand } from './command.ts';
import { ControllerBench, storeRecord } from './testing/bench.ts';

function randomCommand(random: Prng, bench: ControllerBench): ControllerCommand {
  const storeId = `s${1 + random.below(9)}`;
  switch (random.below(5)) {
    case 0: {
      const store = storeRecord(storeId, `${storeId}-${'abc'[random.below(3)]}`);
      const addressVersion = random.below(4);
      return { kind: 'registerStore', ...store, addressVersion, address: `${storeId}:${random.below(2)}` };
    }
    case 1:
    case 2: {
      const groups = Array.from({ length: 1 + random.below(3) }, () => ({
        gid: 1 + random.below(12),
        stores: Array.from({ length: 1 + random.below(4) }, () => `s${1 + random.below(8)}`),
      }));
      return { kind: 'join', groups };
    }
    case 3: {
      const moves = bench.config.shards.flatMap(({ intent }, shard) =>
        random.chance(0.1) ? [{ shard, moveId: intent?.moveId ?? random.below(5) }] : [],
      );
      return { kind: 'done', moves };
    }
    default:
      return random.chance(0.5) ? { kind: 'leave', gids: [1] } : { kind: 'move', shard: 1, gid: 2 };
  }
}

test('two replicas, one of them reloaded at random points, give the same answers and hold the same rows', () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Prng(seed);
    const steady = new ControllerBench({ prefix: Uint8Array.of(1) });
    const restarted = new ControllerBench({ prefix: Uint8Array.of(200, 255, 255) });
    for (const bench of [steady, restarted]) bench.found(32, 3);
    for (let step = 0; step < 150; step++) {
      const command = randomCommand(random, steady);
      const requestId = random.chance(0.5) ? `r${random.below(20)}` : '';
      const stamp = 1_000_000 + random.below(1000) * step;
      const before = steady.config;
      const [first, second] = [steady, restarted].map((bench) => {
        bench.stamp = stamp;
        return bench.run(command, requestId);
      });
      expect(second).toEqual(first);
      if (first?.ok !== true) expect(steady.config).toBe(before);
      if (random.chance(0.2)) restarted.reload();
      expect(restarted.config).toEqual(steady.config);
    }
    expect(restarted.state()).toEqual(steady.state());
  }
});

test('rows copied under another prefix make a replica that goes on alike', () => {
  const random = new Prng(99);
  const source = new ControllerBench({ prefix: Uint8Array.of(1) });
  source.found(32, 3);
  for (let step = 0; step < 60; step++) source.run(randomCommand(random, source), `r${step}`);
  const copy = new ControllerBench({ prefix: Uint8Array.of(9, 9, 9, 9) });
  for (const { key, value } of source.store.rowsBelow(source.prefix, prefixEnd(source.prefix))) {
    copy.store.put(Uint8Array.of(...copy.prefix, ...key), value);
  }
  copy.reload();
  copy.index = source.index;
  for (let step = 0; step < 60; step++) {
    const command = randomCommand(random, source);
    expect(copy.run(command, `r${30 + step}`)).toEqual(source.run(command, `r${30 + step}`));
  }
  expect(copy.state()).toEqual(source.state());
});

test('the history is linear: numbers without a gap, epochs that never fall, deltas that join any two', () => {
  const random = new Prng(5);
  const bench = new ControllerBench();
  bench.found(16, 3);
  for (let step = 0; step < 150; step++) bench.run(randomCommand(random, bench));
  const last = bench.config.number;
  expect(last).toBeGreaterThan(20);
  for (let number = 2; number <= last; number++) {
    const [from, to] = [bench.group.configAt(number - 1), bench.group.configAt(number)];
    if (from === undefined || to === undefined) throw new Error(`config ${number} is missing`);
    expect(to.number).toBe(number);
    expect(to.atMs).toBeGreaterThanOrEqual(from.atMs);
    expect(applyConfigDelta(from, diffConfig(from, to))).toEqual(to);
    for (const group of to.groups) expect(group.incarnation).toBeLessThanOrEqual(number);
  }
});

test('the shards of a config are owned or promised only to groups that it names', () => {
  const random = new Prng(6);
  const bench = new ControllerBench();
  bench.found(16, 3);
  for (let step = 0; step < 200; step++) {
    bench.run(randomCommand(random, bench));
    const gids = bench.config.groups.map((group) => group.gid);
    for (const shard of bench.config.shards) {
      if (shard.owner !== 0) expect(gids).toContain(shard.owner);
      if (shard.intent !== undefined) expect(gids).toContain(shard.intent.target);
      expect(shard.epoch).toBe(shard.owner === 0 ? 0 : 1);
    }
  }
});
