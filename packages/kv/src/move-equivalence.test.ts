import { hexEncode, Prng, type Reader, Writer, Xxh64 } from '@flotilla/base';
import { MoveAnswer, sessionLimits } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { DataGroup } from './data-group.ts';
import { prepareBatch } from './prepare.ts';
import { readShardNames } from './shard-record.ts';
import { digestsOf } from './testing/contents.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { Move } from './testing/move.ts';
import { bytes, PREFIX, Rig } from './testing/rig.ts';
import { encode, Workload } from './testing/workload.ts';

// Logs of two groups between which shards move, applied by replicas that are restarted, brought by snapshots
// or crash at any point: all of them answer alike and hold the same bytes.

const SHARDS = [0, 1];

class RecordingRig extends Rig {
  readonly log: Uint8Array[] = [];

  override apply(entry: Uint8Array): Reader {
    this.log.push(entry.slice());
    return super.apply(entry);
  }
}

/** Two groups, and moves of shard 0 there and back: one cancelled, one begun anew, one to the end. */
function record(seed: number): readonly RecordingRig[] {
  const random = new Prng(seed);
  const a = new RecordingRig({ gid: 7 });
  const b = new RecordingRig({ gid: 8 });
  for (const shard of SHARDS) a.activate(shard, 1);
  const workload = new Workload(random.fork('workload'), SHARDS);
  const write = (rig: Rig, count: number): void => {
    for (let left = random.below(count); left > 0; left--) {
      if (random.chance(0.3)) for (const each of [a, b]) each.now += random.below(3000);
      if (random.chance(0.02)) for (const each of [a, b]) each.now += sessionLimits.life / 2;
      const entry = encode(workload.batch(rig.now));
      expect(prepareBatch(entry, rig.now)).toBeUndefined();
      rig.apply(entry);
      const upkeep = random.chance(0.2) ? rig.group.timeEntry(rig.now) : undefined;
      if (upkeep !== undefined) rig.apply(upkeep);
      if (random.chance(0.1)) rig.group.flush();
    }
  };
  write(a, 60);
  const cancelled = new Move(a, b, { moveId: 10 });
  cancelled.begin();
  write(a, 30);
  cancelled.takePage();
  write(a, 10);
  cancelled.cancel();
  write(a, 10);
  cancelled.abort();
  const there = new Move(a, b, { moveId: 11 });
  there.begin();
  write(a, 30);
  there.copy();
  write(a, 30);
  there.trim(there.given.revision - 1);
  write(a, 10);
  there.beginImport(there.given.openExport?.r0 ?? 0);
  there.copy();
  write(a, 20);
  there.catchUp();
  write(a, 5);
  expect(there.finish()).toEqual({ answer: MoveAnswer.active });
  write(b, 20);
  const back = new Move(b, a, { moveId: 12, epoch: 2 });
  if (random.chance(0.5)) there.forget();
  back.begin();
  write(a, 10);
  expect(back.copy()).toBeGreaterThan(0);
  write(b, 20);
  expect(back.finish()).toEqual({ answer: MoveAnswer.active });
  back.forget();
  write(a, 10);
  return [a, b];
}

class Replica {
  readonly name: string;
  readonly gid: number;
  readonly rowCacheBytes: number;
  store: MemoryStore = new MemoryStore();
  prefix: Uint8Array = bytes('replica-0000-');
  group: DataGroup;

  constructor(name: string, gid: number, rowCacheBytes = 1 << 20) {
    this.name = name;
    this.gid = gid;
    this.rowCacheBytes = rowCacheBytes;
    this.group = this.open();
  }

  open(): DataGroup {
    const { gid, store, prefix, rowCacheBytes } = this;
    const group = new DataGroup({ gid, store, prefix, hasher: new Xxh64(), shardCount: 4, rowCacheBytes });
    group.load();
    return group;
  }

  restart(): void {
    this.group.flush();
    this.group = this.open();
  }

  /** What a group snapshot does: raw items go under another prefix, in another store. */
  reinstall(name: string): void {
    this.group.flush();
    const prefix = bytes(`replica-${name}-`);
    const store = new MemoryStore();
    for (const [key, value] of this.store.dump(this.prefix))
      store.put(Uint8Array.of(...prefix, ...key), value);
    this.store = store;
    this.prefix = prefix;
    this.group = this.open();
  }

  dump(): string[] {
    this.group.flush();
    return this.store.dump(this.prefix).map(([key, value]) => `${hexEncode(key)} ${hexEncode(value)}`);
  }
}

describe.each([1, 2, 3, 4, 5, 6])('replicas of groups between which a shard moves (seed %i)', (seed) => {
  test.each([0, 1])('hold the same bytes after restarts and snapshots at any point (group %i)', (which) => {
    const recorded = record(seed)[which] as RecordingRig;
    const random = new Prng(seed).fork('faults');
    const { gid } = recorded;
    const steady = new Replica('steady', gid);
    const restless = new Replica('restless', gid);
    const restarted = new Replica('restarted', gid);
    const moved = new Replica('moved', gid);
    const small = new Replica('small', gid, 1);
    const all = [steady, restless, restarted, moved, small];
    recorded.log.forEach((entry, at) => {
      const answers: string[] = [];
      for (const one of all) {
        const out = one === steady || random.chance(0.5) ? new Writer(256) : undefined;
        one.group.apply(at + 1, entry.slice(), out);
        if (out !== undefined) answers.push(hexEncode(out.finish()));
      }
      expect(new Set(answers).size, `answers to entry ${at + 1}`).toBe(1);
      restless.restart();
      if (random.chance(0.1)) restarted.restart();
      if (random.chance(0.1)) moved.reinstall(String(1000 + at));
      if (random.chance(0.3)) small.group.flush();
      if (random.chance(0.1)) {
        small.group.flush();
        small.group.durable(at + 1 - random.below(3));
      }
      if (at % 20 !== 0 && at + 1 < recorded.log.length) return;
      for (const one of all) {
        one.group.flush();
        one.group.durable(at + 1);
      }
      const expected = steady.dump();
      for (const one of all) {
        expect(one.dump(), `${one.name} at ${at + 1}`).toEqual(expected);
        expect([...one.group.shards()], one.name).toEqual([...steady.group.shards()]);
        for (const shard of SHARDS) expect(one.group.digest(shard)).toEqual(steady.group.digest(shard));
      }
    });
    expect(steady.dump()).toEqual(recordedDump(recorded));
    for (const shard of SHARDS) {
      const digest = recorded.group.digest(shard);
      if (digest !== undefined) expect(digest).toEqual(digestsOf(recorded, shard));
    }
  });

  test.each([0, 1])('hold the same bytes when a crash takes what was not durable (group %i)', (which) => {
    const recorded = record(seed)[which] as RecordingRig;
    const random = new Prng(seed).fork('crashes');
    const { log, gid } = recorded;
    const survivor = new Replica('survivor', gid);
    for (let at = 0; at < log.length; ) {
      const slice = 1 + random.below(15);
      // What this one applies, and deletes, is lost with it, since the store it writes to is a copy.
      const doomed = new Replica('doomed', gid);
      for (const [key, value] of survivor.store.dump(new Uint8Array(0))) doomed.store.put(key, value);
      doomed.group = doomed.open();
      for (let ahead = at; ahead < Math.min(log.length, at + slice + 5); ahead++) {
        doomed.group.apply(ahead + 1, (log[ahead] as Uint8Array).slice(), undefined);
      }
      survivor.group = survivor.open();
      for (let left = slice; left > 0 && at < log.length; left--, at++) {
        survivor.group.apply(at + 1, (log[at] as Uint8Array).slice(), undefined);
      }
      survivor.group.flush();
      if (random.chance(0.5)) survivor.group.durable(at);
    }
    survivor.restart();
    expect(survivor.dump()).toEqual(recordedDump(recorded));
  });
});

function recordedDump(recorded: RecordingRig): string[] {
  recorded.group.flush();
  recorded.group.durable(recorded.index);
  return recorded.dump();
}

describe('what a shard record names', () => {
  test('can be told from outside: copies that are kept, and the one that is whole', () => {
    const move = new Move(Rig.serving([0], { gid: 7 }), new Rig({ gid: 8 }));
    const namesOf = (rig: Rig): unknown => {
      rig.group.flush();
      const record = rig.store.dump(PREFIX).find(([key]) => key[0] === 0xff && key[10] === 2);
      return record === undefined ? undefined : readShardNames(record[1]);
    };
    move.source.put('a', 'x');
    expect(namesOf(move.source)).toEqual({ copies: [1], content: 1, revision: 1 });
    expect(namesOf(move.target)).toBeUndefined();
    move.begin();
    const exportedAt = move.source.index;
    const importedAt = move.target.index;
    expect(namesOf(move.source)).toEqual({ copies: [1, exportedAt], content: 1, revision: 1 });
    expect(namesOf(move.target)).toEqual({ copies: [importedAt], content: undefined, revision: 0 });
    move.copy();
    move.freeze();
    expect(namesOf(move.source)).toEqual({ copies: [1, exportedAt], content: 1, revision: 1 });
    move.activate();
    expect(namesOf(move.target)).toEqual({ copies: [importedAt], content: importedAt, revision: 1 });
    move.forget();
    expect(namesOf(move.source)).toEqual({ copies: [], content: undefined, revision: 0 });
  });
});
