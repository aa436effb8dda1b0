import { InvariantError, Prng, prefixEnd, Writer } from '@flotilla/base';
import { type ClusterConfig, writeConfig } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { controllerLimits } from './format.ts';
import { ConfigHistory } from './history.ts';
import { ControllerBench, joinCommand, storeRecord } from './testing/bench.ts';

/** A cluster with a long and varied history, and all configs as they were when they were made. */
function aged(changes: number): { bench: ControllerBench; configs: readonly ClusterConfig[] } {
  const random = new Prng(31);
  const bench = new ControllerBench();
  bench.found(24, 3);
  const configs = [bench.config];
  while (configs.length < changes) {
    const gid = 1 + random.below(6);
    switch (random.below(6)) {
      case 0:
        bench.run(joinCommand({ [gid]: 's1 s2 s3' }));
        break;
      case 1:
        bench.run({ kind: 'leave', gids: [gid] });
        break;
      case 2:
        bench.run({ kind: 'move', shard: random.below(24), gid });
        break;
      case 3: {
        const version = configs.length + 1;
        bench.run({
          kind: 'registerStore',
          ...storeRecord(`s${gid}`),
          addressVersion: version,
          address: `a${version}`,
        });
        break;
      }
      case 4: {
        const policy = {
          auto: random.chance(0.5),
          moveBytesPerSecond: random.below(9),
          movesPerStore: undefined,
        };
        bench.run({ kind: 'policy', ...policy });
        break;
      }
      default:
        bench.run({
          kind: (['done', 'cancelled', 'tooLate'] as const)[random.below(3)] ?? 'done',
          moves: bench.open().filter(() => random.chance(0.5)),
        });
    }
    if (bench.config !== configs.at(-1)) configs.push(bench.config);
  }
  return { bench, configs };
}

function expectAll(
  bench: ControllerBench,
  configs: readonly ClusterConfig[],
  order: readonly number[],
): void {
  for (const at of order) {
    const config = configs[at] as ClusterConfig;
    expect(bench.group.configAt(config.number)).toEqual(config);
    const { number, cause, author, atMs } = config;
    expect(bench.group.summaryAt(number)).toEqual({ number, cause, author, atMs });
  }
  expect(bench.group.configAt(configs.length + 1)).toBeUndefined();
  expect(bench.group.summaryAt(configs.length + 1)).toBeUndefined();
  expect(bench.group.configAt(0)).toBeUndefined();
  expect(bench.group.summaryAt(0)).toBeUndefined();
}

test('every version of a long history reads back as it was, in any order, after restarts and copied by its keys', () => {
  const { bench, configs } = aged(260);
  const up = configs.map((_, at) => at);
  const random = new Prng(32);
  const mixed = up.map(() => random.below(configs.length));
  expectAll(bench, configs, up);
  bench.reload();
  expectAll(bench, configs, [...up].reverse());
  expectAll(bench, configs, mixed);

  const copy = new ControllerBench({ prefix: Uint8Array.of(3, 3) });
  for (const { key, value } of bench.store.rowsBelow(bench.prefix, prefixEnd(bench.prefix))) {
    copy.store.put(Uint8Array.of(...copy.prefix, ...key), value);
  }
  copy.reload();
  expect(copy.config).toEqual(bench.config);
  expectAll(copy, configs, mixed);
});

test('a version that was read is forgotten when another state comes in under the prefix', () => {
  const one = aged(60);
  const other = new ControllerBench({ prefix: one.bench.prefix });
  other.found(7, 3);
  other.join({ 1: 's1' });
  one.bench.group.configAt(1);
  for (const { key, value } of other.store.rowsBelow(other.prefix, prefixEnd(other.prefix))) {
    one.bench.store.put(Uint8Array.of(...one.bench.prefix, ...key), value);
  }
  one.bench.group.load();
  expect(one.bench.group.configAt(1)?.shards).toHaveLength(7);
});

test('a change of one shard of a large cluster adds some tens of bytes to the history', () => {
  const bench = new ControllerBench();
  bench.found(4096, 3);
  bench.ok(joinCommand({ 1: 's1', 2: 's2' }));
  bench.doneAll();
  const bytes = (): number =>
    bench.store
      .rowsBelow(bench.prefix, prefixEnd(bench.prefix))
      .reduce((sum, row) => sum + row.key.length + row.value.length, 0);
  const before = bytes();
  const shard = bench.config.shards.findIndex((each) => each.owner === 1);
  bench.ok({ kind: 'move', shard, gid: 2 });
  bench.ok({ kind: 'done', moves: bench.open() });
  expect(bytes() - before).toBeLessThan(400);
});

test('reading any version reads no more than 64 rows, and those that follow each other one each', () => {
  const { bench, configs } = aged(200);
  let rows = 0;
  const get = bench.store.get.bind(bench.store);
  bench.store.get = (key) => {
    rows++;
    return get(key);
  };
  bench.reload();
  for (let number = configs.length - 1; number > 0; number--) {
    rows = 0;
    bench.group.configAt(number);
    expect(rows).toBeLessThanOrEqual(controllerLimits.configsPerCopy);
  }
  for (let number = 2; number < configs.length; number++) {
    rows = 0;
    bench.group.configAt(number);
    expect(rows).toBe(1);
  }
});

test('configs are put one after the other', () => {
  const { bench } = aged(3);
  const history = new ConfigHistory(bench.store, bench.prefix);
  const config = bench.config;
  expect(() => history.put(config, { ...config, number: config.number + 2 })).toThrow(InvariantError);
  const out = new Writer();
  writeConfig(out, config);
  expect(history.load()).toEqual(config);
});
