import { compareBytes, Prng } from '@flotilla/base';
import { Flag, limits, Op, type Read, ReadKind, Status } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { bytes, command, Rig, sessionOf } from './testing/rig.ts';

interface Page {
  readonly keys: string[];
  readonly more: boolean;
}

function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

function scan(rig: Rig, part: Partial<Read> = {}): Page {
  const result = rig.read({ kind: ReadKind.scan, ...part });
  if (result.status !== Status.page) throw new Error(`status ${result.status}`);
  return { keys: result.records.map((record) => textOf(record.key)), more: result.more };
}

describe('get', () => {
  test('of a key that is empty or too long is refused', () => {
    const rig = Rig.serving();
    expect(rig.read({ kind: ReadKind.get }).status).toBe(Status.refused);
    const key = new Uint8Array(limits.keyBytes + 1);
    expect(rig.read({ kind: ReadKind.get, key }).status).toBe(Status.refused);
  });

  test('of an unknown kind or shard is refused', () => {
    const rig = Rig.serving();
    expect(rig.read({ kind: 9 as ReadKind, key: bytes('k') }).status).toBe(Status.refused);
    expect(rig.read({ kind: ReadKind.get, shard: 77, key: bytes('k') }).status).toBe(Status.refused);
  });
});

describe('scan', () => {
  function filled(): Rig {
    const rig = Rig.serving([0, 1]);
    for (const key of ['b', 'a', 'd', 'c', 'ca']) rig.put(key, `v${key}`);
    rig.put('other', 'x', { shard: 1 });
    return rig;
  }

  test('gives a whole shard in key order with versions and values', () => {
    const rig = filled();
    expect(scan(rig)).toEqual({ keys: ['a', 'b', 'c', 'ca', 'd'], more: false });
    const page = rig.read({ kind: ReadKind.scan, limit: 1 });
    const record = { key: bytes('a'), version: 2, createVersion: 2, value: bytes('va') };
    expect(page).toEqual({ status: Status.page, records: [record], more: true });
  });

  test('keeps to [from, to) in both directions', () => {
    const rig = filled();
    const range = { key: bytes('b'), hasEnd: true, to: bytes('d') };
    expect(scan(rig, range).keys).toEqual(['b', 'c', 'ca']);
    expect(scan(rig, { ...range, reverse: true }).keys).toEqual(['ca', 'c', 'b']);
    expect(scan(rig, { ...range, to: bytes('b') }).keys).toEqual([]);
    expect(scan(rig, { ...range, to: bytes('a') })).toEqual({ keys: [], more: false });
  });

  test('an end that is empty is an end, not the lack of one', () => {
    expect(scan(filled(), { hasEnd: true }).keys).toEqual([]);
  });

  test('says that there is more only if there is', () => {
    const rig = filled();
    expect(scan(rig, { limit: 4 })).toEqual({ keys: ['a', 'b', 'c', 'ca'], more: true });
    expect(scan(rig, { limit: 5 }).more).toBe(false);
    expect(scan(rig, { limit: 4, hasEnd: true, to: bytes('d') }).more).toBe(false);
  });

  test('does not see what has expired, and is not stopped by it', () => {
    const rig = Rig.serving();
    for (const key of ['a', 'b', 'c', 'd']) {
      const ends = key === 'b' || key === 'd';
      rig.put(key, 'x', ends ? { flags: Flag.ttl, ttl: 5 } : {});
    }
    rig.now += 5;
    rig.put('c', 'x');
    expect(scan(rig)).toEqual({ keys: ['a', 'c'], more: false });
    expect(scan(rig, { limit: 2 })).toEqual({ keys: ['a', 'c'], more: false });
    expect(scan(rig, { reverse: true, limit: 1 })).toEqual({ keys: ['c'], more: true });
  });

  test('gives 1,000 records at most', () => {
    const rig = Rig.serving();
    const puts = Array.from({ length: 1001 }, (_, at) =>
      command({ key: bytes(`k${String(at).padStart(4, '0')}`), seqOffset: at }),
    );
    rig.batch(puts, { session: sessionOf(rig.now, 2) });
    for (const limit of [0, 1000, 1001, 65_535]) {
      const page = scan(rig, { limit });
      expect(page.keys.length).toBe(1000);
      expect(page.more).toBe(true);
    }
    expect(scan(rig, { key: bytes('k1000') })).toEqual({ keys: ['k1000'], more: false });
  });

  test('gives 1 MiB at most, but always one record', () => {
    const rig = Rig.serving();
    for (const key of ['a', 'b', 'c']) {
      rig.run({ op: Op.put, key: bytes(key), value: new Uint8Array(limits.valueBytes) });
    }
    expect(scan(rig)).toEqual({ keys: ['a'], more: true });
    expect(scan(rig, { bytesMax: 0xffff_ffff })).toEqual({ keys: ['a'], more: true });
    const small = Rig.serving();
    for (const key of ['a', 'b', 'c']) small.put(key, 'x'.repeat(77));
    // 22 + 1 + 77 bytes each.
    expect(scan(small, { bytesMax: 200 }).keys).toEqual(['a', 'b']);
    expect(scan(small, { bytesMax: 199 }).keys).toEqual(['a']);
    expect(scan(small, { bytesMax: 1 }).keys).toEqual(['a']);
  });

  test('pages joined by their cursors are the range, for any range, direction and limit', () => {
    const random = new Prng(5);
    const rig = Rig.serving();
    const draw = (): Uint8Array => {
      const key = new Uint8Array(1 + random.below(4));
      for (let at = 0; at < key.length; at++) key[at] = [0, 1, 0x61, 0xfe, 0xff][random.below(5)] as number;
      return key;
    };
    const all = new Map<string, Uint8Array>();
    for (let at = 0; at < 200; at++) {
      const key = draw();
      all.set(textOf(key), key);
      rig.run({ op: Op.put, key, value: bytes('v'.repeat(random.below(30))) });
    }
    const sorted = [...all.values()].sort(compareBytes);
    for (let round = 0; round < 200; round++) {
      const from = random.chance(0.3) ? new Uint8Array(0) : draw();
      const hasEnd = random.chance(0.7);
      const to = draw();
      const reverse = random.chance(0.5);
      const inside = sorted.filter(
        (key) => compareBytes(key, from) >= 0 && (!hasEnd || compareBytes(key, to) < 0),
      );
      if (reverse) inside.reverse();
      const found: string[] = [];
      const part = {
        key: from,
        hasEnd,
        to,
        reverse,
        limit: 1 + random.below(20),
        bytesMax: random.below(900),
      };
      for (;;) {
        const page = scan(rig, part);
        found.push(...page.keys);
        const last = page.keys.at(-1);
        if (!page.more || last === undefined) break;
        if (reverse) {
          part.hasEnd = true;
          part.to = all.get(last) as Uint8Array;
        } else {
          part.key = new Uint8Array([...(all.get(last) as Uint8Array), 0]);
        }
      }
      expect(found).toEqual(inside.map(textOf));
    }
  });
});
