import { hexEncode, Prng, Writer, Xxh64 } from '@flotilla/base';
import { MoveStep, sessionLimits } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { DataGroup, moveEntry } from './data-group.ts';
import { DigestSum } from './digest.ts';
import { Kind } from './keys.ts';
import { prepareBatch } from './prepare.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { bytes, Rig } from './testing/rig.ts';
import { encode, Workload } from './testing/workload.ts';

// Replicas that applied the same log hold the same bytes, however each of them came there.

const SHARDS = [0, 1, 3];
const SHARD_COUNT = 4;
const HASH_BYTES = 8;

interface Replica {
  readonly name: string;
  store: MemoryStore;
  prefix: Uint8Array;
  group: DataGroup;
  readonly rowCacheBytes: number;
}

function open(store: MemoryStore, prefix: Uint8Array, rowCacheBytes: number): DataGroup {
  const group = new DataGroup({
    gid: 7,
    store,
    prefix,
    hasher: new Xxh64(),
    shardCount: SHARD_COUNT,
    rowCacheBytes,
  });
  group.load();
  return group;
}

function replica(name: string, rowCacheBytes = 1 << 20): Replica {
  const store = new MemoryStore();
  const prefix = bytes(`replica-${name}-`);
  return { name, store, prefix, rowCacheBytes, group: open(store, prefix, rowCacheBytes) };
}

function restart(one: Replica): void {
  one.group.flush();
  one.group = open(one.store, one.prefix, one.rowCacheBytes);
}

/** What a group snapshot does: raw items go under another prefix, in another store. */
function reinstall(one: Replica, prefix: Uint8Array): void {
  one.group.flush();
  const store = new MemoryStore();
  for (const [key, value] of one.store.dump(one.prefix)) {
    const renamed = new Uint8Array(prefix.length + key.length);
    renamed.set(prefix);
    renamed.set(key, prefix.length);
    store.put(renamed, value);
  }
  one.store = store;
  one.prefix = prefix;
  one.group = open(store, prefix, one.rowCacheBytes);
}

function dump(one: Replica): string[] {
  one.group.flush();
  return one.store.dump(one.prefix).map(([key, value]) => `${hexEncode(key)} ${hexEncode(value)}`);
}

function digests(one: Replica): unknown {
  return SHARDS.map((shard) => one.group.digest(shard));
}

/** Digests computed from nothing but the stored items. */
function digestsFromScratch(one: Replica): unknown {
  one.group.flush();
  const hasher = new Xxh64();
  const sums = new Map(SHARDS.map((shard) => [shard, { records: new DigestSum(), rows: new DigestSum() }]));
  for (const [key, value] of one.store.dump(one.prefix)) {
    const sum = sums.get((key[0] as number) * 256 + (key[1] as number));
    const kind = key[10] as number;
    if (sum === undefined || (kind !== Kind.record && kind !== Kind.row)) continue;
    const name = key.subarray(11);
    const item = new Uint8Array(name.length + value.length - HASH_BYTES);
    item.set(name);
    item.set(value.subarray(0, value.length - HASH_BYTES), name.length);
    hasher.hash(item);
    (kind === Kind.record ? sum.records : sum.rows).add(hasher.high, hasher.low);
  }
  return SHARDS.map((shard) => {
    const sum = sums.get(shard);
    return { records: sum?.records.value(), rows: sum?.rows.value() };
  });
}

/** A log: first assignments, batches with repeats, and the time entries that a leader would propose. */
function* logOf(seed: number, leader: Replica): Generator<Uint8Array> {
  const random = new Prng(seed);
  const workload = new Workload(random.fork('workload'), SHARDS);
  let now = 1_000_000;
  for (const shard of SHARDS)
    yield moveEntry({ step: MoveStep.activateEmpty, moveId: 1, shard, epoch: 1 }, now);
  for (let step = 0; step < 500; step++) {
    const entry = encode(workload.batch(now));
    expect(prepareBatch(entry, now)).toBeUndefined();
    yield entry;
    if (random.chance(0.3)) now += random.below(3000);
    if (random.chance(0.01)) now += sessionLimits.life / 2;
    if (random.chance(0.1)) {
      const upkeep = leader.group.timeEntry(now);
      if (upkeep !== undefined) yield upkeep;
    }
    if (random.chance(0.02)) yield new Uint8Array(0);
    if (random.chance(0.02)) yield entry.slice(0, 12 + random.below(entry.length - 12));
  }
}

describe('replicas of one group', () => {
  test.each([21, 22, 23, 24])(
    'hold the same bytes after restarts and snapshots at any point (seed %i)',
    (seed) => {
      const random = new Prng(seed).fork('faults');
      const steady = replica('steady');
      const restarted = replica('restarted');
      const moved = replica('moved');
      // Its cache holds next to nothing, so rows are written and read again all the time.
      const small = replica('small', 1);
      const all = [steady, restarted, moved, small];
      const answers = new Map(all.map((one) => [one, new Writer(1024)]));
      let index = 0;
      for (const entry of logOf(seed, steady)) {
        index++;
        for (const one of all) {
          const out = answers.get(one) as Writer;
          out.reset();
          // Only some replica has a client that waits.
          one.group.apply(index, entry.slice(), one === steady || random.chance(0.5) ? out : undefined);
        }
        if (random.chance(0.1)) steady.group.flush();
        if (random.chance(0.1)) restart(restarted);
        if (random.chance(0.02)) reinstall(moved, bytes(`snapshot-${index}-`));
        if (random.chance(0.2)) small.group.flush();
        for (const one of all) {
          const out = answers.get(one) as Writer;
          if (out.length > 0)
            expect(hexEncode(out.finish())).toBe(hexEncode((answers.get(steady) as Writer).finish()));
        }
        if (index % 100 !== 0) continue;
        const expected = dump(steady);
        for (const one of all) {
          expect(dump(one), one.name).toEqual(expected);
          expect(digests(one), one.name).toEqual(digests(steady));
          expect([...one.group.shards()], one.name).toEqual([...steady.group.shards()]);
          expect(one.group.lastStamp).toBe(steady.group.lastStamp);
        }
        expect(digests(steady)).toEqual(digestsFromScratch(steady));
      }
      expect(index).toBeGreaterThan(500);
    },
  );

  test('replay from the last flush gives the same as never having stopped', () => {
    // A crash takes what was not committed; the log is applied again from there.
    const steady = replica('steady');
    const crashed = replica('crashed');
    const log = [...logOf(31, steady)];
    // Applied by the leader's own replica only now: the log above was made by looking at an empty one.
    let index = 0;
    for (const entry of log) steady.group.apply(++index, entry.slice(), undefined);
    const random = new Prng(31);
    let at = 0;
    while (at < log.length) {
      const slice = 1 + random.below(40);
      // What this group applies is lost with it, since the store it writes to is a copy.
      const doomed: Replica = { ...crashed, store: new MemoryStore() };
      for (const [key, value] of crashed.store.dump(new Uint8Array(0))) doomed.store.put(key, value);
      doomed.group = open(doomed.store, doomed.prefix, 1 << 20);
      for (let ahead = at; ahead < Math.min(log.length, at + slice); ahead++) {
        doomed.group.apply(ahead + 1, (log[ahead] as Uint8Array).slice(), undefined);
      }
      crashed.group = open(crashed.store, crashed.prefix, 1 << 20);
      for (let left = slice; left > 0 && at < log.length; left--, at++) {
        crashed.group.apply(at + 1, (log[at] as Uint8Array).slice(), undefined);
      }
      crashed.group.flush();
    }
    expect(dump(crashed)).toEqual(dump(steady));
  });
});

describe('stored state', () => {
  test('names the replica in keys and nowhere else', () => {
    const prefix = bytes('a-prefix-to-be-found');
    const rig = Rig.serving([0], { prefix });
    rig.put('k', 'v', { flags: 16, ttl: 100 });
    rig.run({ op: 4, key: bytes('n'), value: bytes('5') });
    rig.group.flush();
    const needle = hexEncode(prefix);
    const items = rig.store.dump(new Uint8Array(0));
    expect(items.length).toBeGreaterThan(4);
    for (const [key, value] of items) {
      expect(hexEncode(key).startsWith(needle)).toBe(true);
      expect(hexEncode(value)).not.toContain(needle);
    }
  });

  test('is not touched between flushes by shard records and rows, and is written once by each flush', () => {
    const rig = Rig.serving();
    rig.group.flush();
    for (let at = 0; at < 20; at++) rig.put(`k${at}`, 'v');
    // Records go at once; the row and the shard record wait.
    expect(rig.store.dump(new Uint8Array(0)).filter(([key]) => key.at(-17) === Kind.row)).toEqual([]);
    rig.group.flush();
    expect(rig.dump().length).toBe(20 + 1 + 1 + 1);
  });
});
