import { DecodeError, InvariantError, utf8Encode, Writer } from '@flotilla/base';
import { expect, test } from 'vitest';
import { encodeControllerEntry } from './command.ts';
import { EMPTY_CONFIG } from './controller-group.ts';
import { CONTROLLER_ENTRY_FORMAT, controllerLimits, readControllerEntryHead } from './format.ts';
import { ControllerBench, joinCommand, storeRecord } from './testing/bench.ts';
import { jsonCodec } from './testing/json-codec.ts';

test('before the founding there is config 0, and every other command is asked to wait', () => {
  const bench = new ControllerBench();
  expect(bench.config).toEqual(EMPTY_CONFIG);
  expect(bench.group.clusterId).toBe('');
  expect(bench.group.configAt(0)).toBeUndefined();
  expect(bench.run({ kind: 'registerStore', ...storeRecord('s1') })).toMatchObject({
    ok: false,
    code: 'not-founded',
    retry: 'backoff',
  });
});

test('every change makes the next config with its cause, author and log time, and all of them stay', () => {
  const bench = new ControllerBench();
  bench.found(4);
  bench.stamp += 50;
  expect(bench.run(joinCommand({ 1: 's1 s2 s3' }), '', 'operator ann')).toMatchObject({
    ok: true,
    configNumber: 2,
    changed: true,
  });
  bench.stamp += 50;
  bench.doneAll();
  bench.reload();

  const story = [1, 2, 3].map((number) => {
    const config = bench.group.configAt(number);
    return [config?.number, config?.cause, config?.author, config?.atMs];
  });
  expect(story).toEqual([
    [1, 'found cluster c1', 'tester', 1_000_000],
    [2, 'join 1', 'operator ann', 1_000_050],
    [3, 'done move 2 of shards 0-3', 'tester', 1_000_100],
  ]);
  expect(bench.group.configAt(4)).toBeUndefined();
  expect(bench.group.configAt(3)).toEqual(bench.config);
});

test('log time never goes back, whatever a leader stamped', () => {
  const bench = new ControllerBench();
  bench.found(4);
  bench.stamp -= 500;
  bench.join({ 1: 's1' });
  expect(bench.config.atMs).toBe(1_000_000);
  expect(bench.group.lastStamp).toBe(1_000_000);
  bench.reload();
  expect(bench.group.lastStamp).toBe(1_000_000);
});

test('a repeated request gets the first answer and is not carried out again', () => {
  const bench = new ControllerBench();
  bench.found(4);
  const first = bench.join({ 1: 's1 s2 s3' }, 'r1');
  bench.doneAll();
  bench.join({ 2: 's1' });
  const config = bench.config;
  expect(bench.join({ 1: 's1 s2 s3' }, 'r1')).toEqual(first);
  expect(first).toMatchObject({ configNumber: 2, changed: true });
  bench.reload();
  expect(bench.join({ 1: 's1 s2 s3' }, 'r1')).toEqual(first);
  expect(bench.config).toEqual(config);
});

test('a refusal is remembered too: a late copy of a refused request is not carried out', () => {
  const bench = new ControllerBench();
  bench.found(4);
  const first = bench.join({ 1: 's4' }, 'r1');
  expect(first).toMatchObject({ ok: false, code: 'unknown-store' });
  bench.ok({ kind: 'registerStore', ...storeRecord('s4') });
  bench.reload();
  expect(bench.join({ 1: 's4' }, 'r1')).toEqual(first);
  expect(bench.config.groups).toEqual([]);
  expect(bench.join({ 1: 's4' }, 'r2')).toMatchObject({ ok: true });
});

test('a request that was asked to wait is carried out when it comes again with its id', () => {
  const bench = new ControllerBench();
  expect(bench.join({ 1: 's1' }, 'r1')).toMatchObject({ code: 'not-founded', retry: 'backoff' });
  bench.found(4);
  expect(bench.join({ 1: 's1' }, 'r1')).toMatchObject({ ok: true, changed: true });
});

test('a request id that is used for another command is refused', () => {
  const bench = new ControllerBench();
  bench.found(4);
  bench.join({ 1: 's1' }, 'r1');
  expect(bench.join({ 2: 's1' }, 'r1')).toMatchObject({ ok: false, code: 'request-id-reused' });
  expect(bench.config.groups.map((group) => group.gid)).toEqual([1]);
});

test('the last 1,024 answers are remembered and the one before them is forgotten', () => {
  const bench = new ControllerBench();
  bench.found(4);
  bench.join({ 1: 's1' }, 'first');
  for (let at = 1; at < controllerLimits.answersKept; at++) bench.join({ 1: 's1' }, `filler ${at}`);
  bench.reload();
  expect(bench.join({ 1: 's1' }, 'first')).toMatchObject({ ok: true, changed: true });
  bench.join({ 1: 's1' }, 'one more');
  const rows = bench.state().length;
  expect(bench.join({ 1: 's1' }, 'first')).toMatchObject({ ok: true, changed: false });
  expect(bench.state().length).toBe(rows);
});

test('a request without an id is not remembered', () => {
  const bench = new ControllerBench();
  bench.found(4);
  const before = bench.state().length;
  bench.run({ kind: 'done', moves: [] });
  bench.run(joinCommand({ 1: 'nobody' }));
  expect(bench.state().length).toBe(before);
});

test('entries that hold no command are refused and change nothing but time', () => {
  const bench = new ControllerBench();
  bench.found(4);
  const config = bench.config;
  const bodies: unknown[] = [
    null,
    [],
    'text',
    {},
    { request: 1, author: 'a', command: {} },
    { request: '', author: 'a' },
    { request: '', author: 'a', command: { kind: 'explode' } },
    { request: '', author: 'a', command: { kind: 'join', groups: [{ gid: 0, stores: ['s1'] }] } },
    { request: '', author: 'a', command: { kind: 'join', groups: [{ gid: 1.5, stores: ['s1'] }] } },
    { request: '', author: 'a', command: { kind: 'join', groups: [{ gid: 1, stores: ['s 1'] }] } },
    { request: '', author: 'a', command: { kind: 'join', groups: { length: 1 } } },
    { request: '', author: 'a', command: { kind: 'done', moves: { $bytes: 'aabb' } } },
    { request: '', author: 'a', command: { kind: 'done', moves: [{ shard: 1, moveId: 1 }] } },
    { request: '', author: 'a', command: { kind: 'cancelled', moves: [] } },
    { request: '', author: 'a', command: { kind: 'tooLate' } },
    { request: '', author: 'a', command: { kind: 'leave', gids: [0] } },
    { request: '', author: 'a', command: { kind: 'leave', gids: 1 } },
    { request: '', author: 'a', command: { kind: 'move', shard: 0 } },
    { request: '', author: 'a', command: { kind: 'rebalance', loads: [] } },
    { request: '', author: 'a', command: { kind: 'rebalance', loads: { $bytes: 'aabb' } } },
    { request: '', author: 'a', command: { kind: 'cancel', shard: 0 } },
    { request: '', author: 'a', command: { kind: 'pause', moveId: 2, shard: -1 } },
    { request: '', author: 'a', command: { kind: 'resume', moveId: '2' } },
    { request: '', author: 'a', command: { kind: 'policy', auto: 'yes' } },
    { request: 'x'.repeat(193), author: 'a', command: { kind: 'done', moves: { $bytes: '' } } },
    { request: '', author: 'a'.repeat(257), command: { kind: 'done', moves: { $bytes: '' } } },
  ];
  for (const body of bodies) {
    const out = new Writer();
    out.u8(CONTROLLER_ENTRY_FORMAT);
    out.u53(bench.stamp);
    out.raw(utf8Encode(JSON.stringify(body)));
    expect(bench.apply(out.finish())).toMatchObject({ ok: false, code: 'bad-request', retry: 'never' });
  }
  for (const entry of [
    new Uint8Array(0),
    new Uint8Array(8).fill(1),
    Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 7),
  ]) {
    expect(bench.apply(entry)).toMatchObject({ ok: false, code: 'bad-request' });
  }
  expect(bench.config).toBe(config);
});

test('a text that would not come back from the store as it went in is refused', () => {
  const bench = new ControllerBench();
  bench.found(4);
  const half = String.fromCharCode(0xd800);
  const zone = { ...storeRecord('s9'), zone: half };
  expect(bench.run({ kind: 'registerStore', ...zone })).toMatchObject({ ok: false, code: 'bad-request' });
  expect(bench.run(joinCommand({ 1: 's1' }), half)).toMatchObject({ ok: false, code: 'bad-request' });
  expect(bench.run(joinCommand({ 1: 's1' }), '', half)).toMatchObject({ ok: false, code: 'bad-request' });
});

test('an entry of an unknown format stops the replica instead of being skipped', () => {
  const bench = new ControllerBench();
  const entry = encodeControllerEntry(jsonCodec, { kind: 'done', moves: [] }, '', 'a');
  entry[0] = CONTROLLER_ENTRY_FORMAT + 1;
  expect(() => bench.apply(entry)).toThrow(DecodeError);
});

test('an entry is applied once: the same index again is our own mistake', () => {
  const bench = new ControllerBench();
  bench.found(4);
  bench.reload();
  bench.index--;
  expect(() => bench.join({ 1: 's1' })).toThrow(InvariantError);
});

test('the leader stamps an entry in place', () => {
  const bench = new ControllerBench();
  bench.stamp = 2 ** 40 + 3;
  bench.found(1);
  expect(bench.config.atMs).toBe(2 ** 40 + 3);
  const entry = encodeControllerEntry(jsonCodec, { kind: 'done', moves: [] }, '', 'a');
  expect(readControllerEntryHead(entry).stamp).toBe(0);
});
