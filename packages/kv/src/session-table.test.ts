import { Prng, Xxh64 } from '@flotilla/base';
import { SESSION_BYTES, Status } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { ChangeIndex } from './change-index.ts';
import { getU53 } from './fields.ts';
import { KeySpace, keyUnder } from './keys.ts';
import { blankOutcome, type Outcome } from './outcome.ts';
import { SessionRow } from './session-row.ts';
import { mixSession, SessionTable } from './session-table.ts';
import { Shard } from './shard.ts';
import { Slab } from './slab.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { PREFIX, sessionOf } from './testing/rig.ts';

const SLOT_MASK = 0x3fff_ffff;

function serving(): Shard {
  const shard = new Shard(0, new KeySpace(PREFIX));
  shard.activateEmpty(1, 1, 10);
  return shard;
}

function ok(version: number): Outcome {
  return { ...blankOutcome(), status: Status.ok, version };
}

/** Two sessions that the table keeps in the same slot. */
function colliding(): readonly [Uint8Array, Uint8Array] {
  const random = new Prng(1);
  const seen = new Map<number, Uint8Array>();
  for (;;) {
    const session = Uint8Array.from({ length: SESSION_BYTES }, () => random.below(256));
    const slot = mixSession(session) & SLOT_MASK;
    const other = seen.get(slot);
    if (other !== undefined) return [other, session];
    seen.set(slot, session);
  }
}

class Table {
  readonly store: MemoryStore = new MemoryStore();
  readonly shard: Shard = serving();
  readonly table: SessionTable;

  constructor(bytesMax = 1 << 20) {
    this.table = new SessionTable(this.store, new Xxh64(), new ChangeIndex(this.store), bytesMax);
  }

  write(session: Uint8Array, seq: number, version: number): void {
    const mix = mixSession(session);
    const row = this.table.find(this.shard, session, mix) ?? this.table.create(this.shard, session, mix);
    row.keep(seq, 0, version, ok(version));
    this.table.touch(row);
  }

  /** Versions kept for the seqs 0 … 9. */
  versions(session: Uint8Array): number[] {
    const row = this.table.find(this.shard, session, mixSession(session));
    return Array.from({ length: 10 }, (_, seq) => row?.find(seq)?.version ?? -1).filter(
      (version) => version >= 0,
    );
  }
}

describe('the cache of session rows', () => {
  test('two sessions in one slot push each other out and lose nothing', () => {
    const [one, two] = colliding();
    const rows = new Table();
    for (let seq = 0; seq < 5; seq++) {
      rows.write(one, seq, seq);
      rows.write(two, seq, 100 + seq);
    }
    expect(rows.versions(one)).toEqual([0, 1, 2, 3, 4]);
    expect(rows.versions(two)).toEqual([100, 101, 102, 103, 104]);
    expect(rows.shard.rowCount).toBe(2);
  });

  test('a row that was pushed out is not found again in the older half of the cache', () => {
    const [one, two] = colliding();
    // So small that each flush turns the halves.
    const rows = new Table(1);
    rows.write(one, 0, 1);
    rows.table.flush();
    expect(rows.versions(one)).toEqual([1]);
    // Now `one` stands in both halves. It is pushed out, read again and changed, and pushed out again.
    rows.versions(two);
    rows.write(two, 0, 2);
    rows.write(one, 1, 3);
    rows.write(two, 1, 4);
    expect(rows.versions(one)).toEqual([1, 3]);
    expect(rows.versions(two)).toEqual([2, 4]);
    rows.table.flush();
    expect(rows.versions(one)).toEqual([1, 3]);
  });

  test('a row that was removed is gone from the cache too', () => {
    const rows = new Table();
    const session = sessionOf(1000);
    rows.write(session, 0, 1);
    rows.table.flush();
    rows.store.delete(keyUnder(rows.shard.rowHead, session));
    rows.table.forget(rows.shard, session);
    expect(rows.table.find(rows.shard, session, mixSession(session))).toBeUndefined();
  });

  test('a row of an earlier copy of the shard is not found in a later one', () => {
    const rows = new Table();
    const session = sessionOf(1000);
    rows.write(session, 0, 1);
    rows.table.flush();
    rows.shard.useGeneration(99);
    expect(rows.table.find(rows.shard, session, mixSession(session))).toBeUndefined();
  });

  test('a flush writes each touched row once, and nothing when nothing was touched', () => {
    const rows = new Table();
    let puts = 0;
    const put = rows.store.put.bind(rows.store);
    rows.store.put = (key, value) => {
      puts++;
      put(key, value);
    };
    for (let seq = 0; seq < 10; seq++) rows.write(sessionOf(1000), seq, seq);
    rows.table.flush();
    rows.table.flush();
    expect(puts).toBe(1);
  });

  test('asks for a flush before it holds too much', () => {
    const rows = new Table(50_000);
    for (let tag = 0; tag < 50; tag++) rows.write(sessionOf(1000, tag), 0, tag);
    expect(rows.table.isFull).toBe(false);
    for (let tag = 50; tag < 100; tag++) rows.write(sessionOf(1000, tag), 0, tag);
    expect(rows.table.isFull).toBe(true);
    rows.table.flush();
    expect(rows.table.isFull).toBe(false);
    for (let tag = 0; tag < 100; tag++) expect(rows.versions(sessionOf(1000, tag))).toEqual([tag]);
  });
});

describe('a session row', () => {
  function row(shard: Shard): SessionRow {
    const session = sessionOf(1000);
    return new SessionRow(shard, session, keyUnder(shard.rowHead, session));
  }

  test('its bytes follow from what it holds, not from how it came there', () => {
    const shard = serving();
    const hasher = new Xxh64();
    const straight = row(shard);
    const crooked = row(shard);
    for (const seq of [20, 21, 22, 23]) straight.keep(seq, 20, 9, ok(seq));
    for (let seq = 0; seq < 20; seq++) crooked.keep(seq, 0, seq, ok(seq));
    for (const seq of [22, 20, 23, 21]) crooked.keep(seq, 20, 9, ok(seq));
    const bytes = straight.encode(hasher, new Slab());
    expect(crooked.encode(hasher, new Slab())).toEqual(bytes);
    const read = row(shard);
    read.decode(bytes);
    expect(read.encode(hasher, new Slab())).toEqual(bytes);
    expect(read.floor).toBe(20);
    expect(read.find(22)?.version).toBe(22);
    expect(read.find(19)).toBeUndefined();
    expect(read.find(24)).toBeUndefined();
  });

  test('is stamped with the revision of the last command that touched it', () => {
    const shard = serving();
    const one = row(shard);
    one.keep(5, 0, 17, ok(17));
    one.keep(3, 0, 23, ok(23));
    const bytes = one.encode(new Xxh64(), new Slab());
    expect(getU53(bytes, 8)).toBe(23);
    const read = row(shard);
    read.decode(bytes);
    expect(read.revision).toBe(23);
  });

  test('leaves the digest as if only its last bytes had ever been there', () => {
    const hasher = new Xxh64();
    const often = serving();
    const once = serving();
    const busy = row(often);
    for (let seq = 0; seq < 5; seq++) {
      busy.keep(seq, 0, seq, ok(seq));
      busy.encode(hasher, new Slab());
    }
    const lazy = row(once);
    for (let seq = 0; seq < 5; seq++) lazy.keep(seq, 0, seq, ok(seq));
    lazy.encode(hasher, new Slab());
    expect(often.rows.value()).toEqual(once.rows.value());
  });

  test('stays small while seqs pass through it', () => {
    const one = row(serving());
    for (let seq = 0; seq < 100_000; seq++) one.keep(seq, Math.max(0, seq - 10), seq, ok(seq));
    expect(one.memoryBytes).toBeLessThan(10_000);
    for (let seq = 99_990; seq < 100_000; seq++) expect(one.find(seq)?.version).toBe(seq);
  });
});
