import { assert, Prng, prefixEnd } from '@flotilla/base';
import { applyConfigDelta, diffConfig, MovePhase } from '@flotilla/wire';
import { expect, test } from 'vitest';
import type { ControllerCommand } from './command.ts';
import { encodeLoads } from './loads.ts';
import { ControllerBench, storeRecord } from './testing/bench.ts';

function randomCommand(random: Prng, bench: ControllerBench): ControllerCommand {
  const storeId = `s${1 + random.below(9)}`;
  const gid = (): number => 1 + random.below(12);
  const shard = random.below(32);
  const open = bench.open();
  const moveId = open[random.below(open.length)]?.moveId ?? random.below(5);
  switch (random.below(9)) {
    case 0: {
      const store = storeRecord(storeId, `${storeId}-${'abc'[random.below(3)]}`);
      const addressVersion = random.below(4);
      return { kind: 'registerStore', ...store, addressVersion, address: `${storeId}:${random.below(2)}` };
    }
    case 1:
    case 2: {
      const groups = Array.from({ length: 1 + random.below(3) }, () => ({
        gid: gid(),
        stores: Array.from({ length: 1 + random.below(2) }, () => `s${1 + random.below(3)}`),
      }));
      return { kind: 'join', groups };
    }
    case 3:
    case 4: {
      const kind = (['done', 'cancelled', 'tooLate'] as const)[random.below(3)] ?? 'done';
      const moves = bench.config.shards.flatMap(({ intent }, shard) =>
        random.chance(0.3) ? [{ shard, moveId: intent?.moveId ?? random.below(5) }] : [],
      );
      return { kind, moves };
    }
    case 5:
      return { kind: 'leave', gids: [gid()] };
    case 6: {
      const kind = (['cancel', 'pause', 'resume'] as const)[random.below(3)] ?? 'cancel';
      return { kind, moveId, shard: random.chance(0.5) ? shard : undefined };
    }
    case 7: {
      const loads = bench.config.shards.map(() => ({
        operations: random.below(10) ** 4,
        bytes: random.below(2 ** 32),
        cpuMs: random.below(20),
      }));
      return { kind: 'rebalance', loads: encodeLoads(random.chance(0.8) ? loads : []) };
    }
    default: {
      const policy = {
        auto: random.chance(0.5),
        moveBytesPerSecond: undefined,
        movesPerStore: random.below(9),
      };
      return random.chance(0.2) ? { kind: 'policy', ...policy } : { kind: 'move', shard, gid: gid() };
    }
  }
}

test('two replicas, one of them reloaded at random points, give the same answers and hold the same rows', {
  timeout: 30_000,
}, () => {
  for (let seed = 0; seed < 12; seed++) {
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
      if (steady.config !== before) expect(restarted.config).toEqual(steady.config);
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
  for (let step = 0; step < 300; step++) bench.run(randomCommand(random, bench));
  const last = bench.config.number;
  expect(last).toBeGreaterThan(100);
  for (let number = 2; number <= last; number++) {
    const [from, to] = [bench.group.configAt(number - 1), bench.group.configAt(number)];
    if (from === undefined || to === undefined) throw new Error(`config ${number} is missing`);
    expect(to.number).toBe(number);
    expect(to.atMs).toBeGreaterThanOrEqual(from.atMs);
    expect(applyConfigDelta(from, diffConfig(from, to))).toEqual(to);
    for (const group of to.groups) expect(group.incarnation).toBeLessThanOrEqual(number);
    for (const [shard, record] of to.shards.entries()) {
      const former = from.shards[shard];
      assert(
        record.epoch - (former?.epoch ?? 0) === (record.owner === former?.owner ? 0 : 1),
        () => `epoch ${record.epoch} of shard ${shard} in config ${number}`,
      );
    }
  }
});

test('the shards of a config are owned or promised only to groups that it names, new promises to those that stay', () => {
  const random = new Prng(6);
  const bench = new ControllerBench();
  bench.found(16, 3);
  for (let step = 0; step < 600; step++) {
    const before = bench.config;
    bench.run(randomCommand(random, bench));
    const gids = bench.config.groups.map((group) => group.gid);
    const staying = bench.config.groups.filter((group) => !group.leaving).map((group) => group.gid);
    for (const [shard, { owner, intent }] of bench.config.shards.entries()) {
      const says = (): string => `shard ${shard} in ${JSON.stringify(bench.config)}`;
      assert(owner === 0 || gids.includes(owner), says);
      if (intent === undefined) continue;
      const { target, next } = intent;
      assert(target !== owner && gids.includes(target), says);
      assert(next === 0 || gids.includes(next), says);
      const former = before.shards[shard]?.intent;
      if (intent.moveId === former?.moveId) {
        assert(target === former.target, says);
        assert(next === 0 || next === former.next || staying.includes(next), says);
      } else {
        assert(intent.moveId === bench.config.number && staying.includes(target), says);
        assert(next === 0 && intent.phase === MovePhase.moving && !intent.paused, says);
      }
    }
  }
});
