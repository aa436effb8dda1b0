import { Prng, utf8Encode, Xxh64 } from '@flotilla/base';
import { ShardState } from '@flotilla/kv';
import {
  beginEntry,
  blankCommand,
  decodeMoveReply,
  EntryBody,
  encodeMoveReply,
  FrameKind,
  MoveStep,
  Op,
  openPage,
  type Result,
  readResult,
  Status,
  sealPage,
  Verdict,
  writeBatchHead,
  writeCommand,
  writeWriteHead,
} from '@flotilla/wire';
import { describe, expect, test, vi } from 'vitest';
import type { BenchStore, RawClient } from './bench.ts';
import { MoveBench } from './moves-bench.ts';

// Whole clusters, on machines that do other things as well.
vi.setConfig({ testTimeout: 60_000 });

const hasher = new Xxh64();

type Send = (body: Uint8Array) => void;
type Rule = (to: string, kind: number, body: Uint8Array, send: Send) => boolean;

const moveFrames: readonly number[] = [
  FrameKind.moveAsk,
  FrameKind.moveReply,
  FrameKind.moveStep,
  FrameKind.moveStepReply,
];

/** Comes in between a store and its links. A rule that returns true has taken the frame. */
function onSend(store: BenchStore, rule: Rule): void {
  const { links } = store;
  const send = links.send.bind(links);
  links.send = (to, lane, kind, body, urgency) => {
    const again = (other: Uint8Array): void => void send(to, lane, kind, other, urgency);
    return rule(to, kind, body, again) ? true : send(to, lane, kind, body, urgency);
  };
}

interface Said {
  readonly session: Uint8Array;
  readonly gid: number;
  readonly epoch: number;
  readonly seq: number;
  readonly key: string;
  readonly word: string;
}

let requests = 1_000_000;

/** An append to shard 0 with a number of the caller's choice: a repeat has the same. */
function append(bench: MoveBench, client: RawClient, said: Said): Result {
  const request = ++requests;
  client.frame(FrameKind.write, (out) => {
    writeWriteHead(out, { request, gid: said.gid, timeLeftMs: 5_000 });
    beginEntry(out, EntryBody.clientBatch, 1);
    writeBatchHead(out, { session: said.session, floor: 1 });
    writeCommand(out, {
      ...blankCommand(),
      ...{ op: Op.append, shard: 0, epoch: said.epoch, seqOffset: said.seq - 1 },
      ...{ key: utf8Encode(said.key), value: utf8Encode(said.word) },
    });
  });
  bench.until(() => client.batches.has(request));
  const reply = client.batches.get(request);
  if (reply === undefined || !('results' in reply)) throw new Error(`batch status ${reply?.status}`);
  return readResult(reply.results);
}

function twoGroups(options: { shardCount?: number; pieceBytes?: number } = {}): MoveBench {
  const bench = MoveBench.with({ count: 6, shardCount: 2, pieceBytes: 2_000, ...options });
  bench.join([1, 's1', 's2', 's3'], [2, 's4', 's5', 's6']);
  bench.settled();
  return bench;
}

function ends(bench: MoveBench): { from: number; to: number } {
  const from = bench.config.shards[0]?.owner as number;
  return { from, to: 3 - from };
}

function filled(bench: MoveBench, count = 200): readonly (readonly [string, string])[] {
  const records = bench.keys(0, count).map((key) => [key, `value of ${key}`] as const);
  bench.fill(records);
  return records;
}

function expectAll(bench: MoveBench, records: readonly (readonly [string, string])[]): void {
  for (const [key, value] of records) expect(bench.get(key)).toBe(value);
}

describe('what travels with a shard', () => {
  test('the answers that its callers were given: a write that is said again in the new place is not done again', () => {
    const bench = twoGroups();
    const { from, to } = ends(bench);
    const [key] = bench.keys(0, 1) as [string];
    const there = bench.client(bench.leader(from));
    const { session } = there;
    const first = append(bench, there, { session, gid: from, epoch: 1, seq: 1, key, word: 'once' });
    expect(first.status).toBe(Status.ok);
    bench.move(0, to);
    bench.settled();
    const here = bench.client(bench.leader(to));
    expect(append(bench, there, { session, gid: from, epoch: 1, seq: 1, key, word: 'once' })).toMatchObject({
      status: Status.wrongGroup,
      gid: to,
      epoch: 2,
    });
    const again = append(bench, here, { session, gid: to, epoch: 2, seq: 1, key, word: 'once' });
    expect(again).toEqual(first);
    const next = append(bench, here, { session, gid: to, epoch: 2, seq: 2, key, word: ' more' });
    expect(next).toMatchObject({ status: Status.ok, version: 2 });
    expect(bench.get(key)).toBe('once more');
  });

  test('the times at which its records end', () => {
    const bench = twoGroups();
    const { to } = ends(bench);
    const [short, long, forever] = bench.keys(0, 3) as [string, string, string];
    bench.put(short, 'short', 3_000);
    bench.put(long, 'long', 20_000);
    bench.put(forever, 'forever');
    bench.move(0, to);
    bench.settled();
    expect([short, long, forever].map((key) => bench.get(key))).toEqual(['short', 'long', 'forever']);
    bench.run(5_000);
    expect([short, long, forever].map((key) => bench.get(key))).toEqual([undefined, 'long', 'forever']);
    bench.run(18_000);
    expect([short, long, forever].map((key) => bench.get(key))).toEqual([undefined, undefined, 'forever']);
    // Removed by an entry of its new group, not only hidden.
    bench.until(() => bench.shardOf(to, 0)?.recordCount === 1);
  });
});

describe('frames of moves', () => {
  test.each([1, 2, 3, 4])('may be lost, late and doubled: the move ends well (course %i)', (seed) => {
    const bench = twoGroups({ pieceBytes: 4_000 });
    const { to } = ends(bench);
    const records = filled(bench);
    const appenders = bench.keys(0, 2, 'word').map((key) => bench.appender(key, 8, 25));
    const random = new Prng(seed);
    for (const store of bench.stores) {
      onSend(store, (_to, kind, body, send) => {
        if (!moveFrames.includes(kind)) return false;
        const copy = body.slice();
        const dice = random.below(20);
        if (dice < 3) return true;
        if (dice < 10) bench.time.set(random.below(3_000), () => send(copy));
        return dice < 6;
      });
    }
    bench.move(0, to);
    bench.settled(120_000);
    expect(bench.config.shards[0]?.owner).toBe(to);
    bench.check(appenders);
    expectAll(bench, records);
    expect(bench.lines('move-digest-mismatch')).toEqual([]);
    expect(bench.lines('frame-refused')).toEqual([]);
    // What is still late comes into a group that has closed the move.
    bench.run(5_000);
    expect(bench.shardOf(to, 0)?.state).toBe(ShardState.serving);
    expectAll(bench, records.slice(0, 10));
  });

  test('that were damaged on their way are asked for again', () => {
    const bench = twoGroups();
    const { to } = ends(bench);
    const records = filled(bench);
    let damaged = 0;
    for (const store of bench.stores) {
      onSend(store, (_to, kind, body) => {
        // Inside of the page, which has a checksum of its own: the frame's was made by whoever read it wrong.
        if (kind === FrameKind.moveReply && body.length > 500 && damaged < 5) {
          body[400] = (body[400] as number) ^ 1;
          damaged++;
        }
        return false;
      });
    }
    bench.move(0, to);
    bench.settled();
    expect(damaged).toBe(5);
    expect(bench.lines('move-piece-damaged').length).toBe(5);
    expectAll(bench, records);
    expect(bench.lines('move-digest-mismatch')).toEqual([]);
  });

  test('are not needed where a replica of the source lies on the store of the leader', () => {
    const bench = MoveBench.with({ count: 4, shardCount: 2, pieceBytes: 500 });
    bench.join([1, 's1', 's2', 's3'], [2, 's2', 's3', 's4']);
    bench.settled();
    const { from, to } = ends(bench);
    bench.lead(from, 's2');
    bench.lead(to, 's3');
    const records = filled(bench);
    bench.policy({ moveBytesPerSecond: 20_000 });
    const asked: string[] = [];
    for (const store of bench.stores) {
      onSend(store, (to, kind) => {
        if (kind === FrameKind.moveAsk) asked.push(to);
        return false;
      });
    }
    bench.move(0, to);
    bench.settled();
    expectAll(bench, records);
    // Others are asked only as long as the own replica has not heard of the export.
    const bytes = bench.lines('move-copy-complete')[0]?.bytes as number;
    expect(asked.length).toBeLessThan(bytes / 1_000);
  });
});

describe('a copy that is not what its source holds', () => {
  test('is made anew from the frozen source, with an alarm, and is served only once it is right', () => {
    const bench = twoGroups();
    const { from, to } = ends(bench);
    const records = filled(bench);
    let forged = 0;
    for (const store of bench.stores) {
      onSend(store, (_to, kind, body, send) => {
        if (kind !== FrameKind.moveReply || forged > 0) return false;
        const { id, reply } = decodeMoveReply(body);
        if (reply.verdict !== Verdict.page) return false;
        const page = openPage(reply.page, hasher);
        if (page === undefined) return false;
        forged++;
        // A source that leaves records out, and seals what is left.
        const empty = sealPage({ ...page, items: new Uint8Array(0) }, hasher);
        send(encodeMoveReply(id, { ...reply, page: empty }));
        return true;
      });
    }
    bench.move(0, to);
    bench.until(() => bench.lines('move-digest-mismatch').length > 0);
    expect(bench.shardOf(from, 0)?.state).toBe(ShardState.frozen);
    expect(bench.shardOf(to, 0)?.state).not.toBe(ShardState.serving);
    bench.settled();
    expect(bench.lines('move-digest-mismatch').length).toBe(1);
    expect(bench.lines('move-restarted').length).toBe(1);
    expectAll(bench, records);
  });

  test('again and again is made anew at growing distances, until somebody has mended the source', () => {
    const bench = twoGroups();
    const { to } = ends(bench);
    const records = filled(bench);
    let isMended = false;
    for (const store of bench.stores) {
      onSend(store, (_to, kind, body, send) => {
        if (kind !== FrameKind.moveReply || isMended) return false;
        const { id, reply } = decodeMoveReply(body);
        const page = reply.verdict === Verdict.page ? openPage(reply.page, hasher) : undefined;
        if (page === undefined || reply.verdict !== Verdict.page) return false;
        send(
          encodeMoveReply(id, { ...reply, page: sealPage({ ...page, items: new Uint8Array(0) }, hasher) }),
        );
        return true;
      });
    }
    bench.move(0, to);
    bench.until(() => bench.lines('move-digest-mismatch').length > 1);
    bench.run(14_000);
    // One, two, four and eight seconds lie between them.
    expect(bench.lines('move-digest-mismatch').length).toBe(5);
    isMended = true;
    bench.settled();
    expectAll(bench, records);
  });

  test('because its source forgot what it had not seen twice holds its writers back from then on', () => {
    const bench = twoGroups();
    const { from, to } = ends(bench);
    const records = filled(bench, 400);
    bench.policy({ moveBytesPerSecond: 4_000 });
    const moveId = bench.move(0, to);
    for (let turn = 1; turn <= 2; turn++) {
      bench.until(() => (bench.progress(to)[0]?.bytes ?? 0) > 0);
      bench.put(records[0]?.[0] as string, records[0]?.[1] as string);
      const revision = bench.shardOf(from, 0)?.revision as number;
      bench.propose(from, { step: MoveStep.trimExport, moveId, shard: 0, to: revision });
      bench.until(() => bench.lines('move-restarted').length === turn);
    }
    bench.until(() => bench.lines('move-throttled').length === 1);
    bench.policy({ moveBytesPerSecond: 0 });
    bench.settled();
    expect(bench.config.shards[0]?.owner).toBe(to);
    expectAll(bench, records);
  });
});

describe('many moves', () => {
  test('of small shards end within a few seconds, two at a time', () => {
    const bench = twoGroups({ shardCount: 100 });
    bench.fill(Array.from({ length: 2_000 }, (_, at) => [`key ${at}`, `value ${at}`] as const));
    let most = 0;
    const begin = bench.time.monoMs();
    bench.admin('leave', { requestId: 'leave', plan: false, gids: [1] });
    while (bench.config.shards.some(({ owner }) => owner !== 2)) {
      bench.run(1);
      const running = bench.progress(2).filter(({ state }) => /copying|catching-up|cutting-over/.test(state));
      most = Math.max(most, running.length);
    }
    expect(bench.time.monoMs() - begin).toBeLessThan(5_000);
    expect(most).toBeLessThanOrEqual(2);
    for (let at = 0; at < 2_000; at += 50) expect(bench.get(`key ${at}`)).toBe(`value ${at}`);
    bench.until(() => bench.stores.every((store) => store.node.config.groups.length === 1));
  });

  test('do not wait for one whose source cannot be reached', () => {
    const bench = MoveBench.with({ count: 9, shardCount: 12 });
    bench.join([1, 's1', 's2', 's3'], [2, 's4', 's5', 's6'], [3, 's7', 's8', 's9']);
    bench.settled();
    const of = (gid: number): readonly number[] =>
      bench.config.shards.flatMap(({ owner }, shard) => (owner === gid ? [shard] : []));
    const [dead, live] = [of(2), of(3)];
    for (const id of ['s4', 's5', 's6']) bench.store(id).crash();
    bench.policy({ movesPerStore: 1 });
    for (const shard of [...dead, ...live]) bench.move(shard, 1);
    bench.until(() => live.every((shard) => bench.config.shards[shard]?.owner === 1), 20_000);
    const stuck = bench.progress(1).filter(({ source }) => source === 2);
    expect(stuck.length).toBe(dead.length);
    for (const { problem } of stuck) expect(problem).toMatch(/group 2/);
    for (const id of ['s4', 's5', 's6']) bench.store(id).start();
    bench.settled();
    expect(of(1).length).toBe(12);
  });
});

describe('a hot shard', () => {
  test('moves, since its writers are held back, and only its own', () => {
    const bench = twoGroups({ pieceBytes: 65_536 });
    const { to } = ends(bench);
    bench.policy({ moveBytesPerSecond: 500_000 });
    const [own, other] = [bench.keys(0, 40, 'hot'), bench.keys(1, 1)];
    const value = 'x'.repeat(20_000);
    let isOver = false;
    // A million bytes a second, twice what the copy may take.
    const write = (turn: number): void => {
      if (isOver) return;
      bench.write(Op.put, own[turn % own.length] as string, value, {}, () => {});
      bench.time.set(20, () => write(turn + 1));
    };
    write(0);
    bench.run(1_000);
    bench.move(0, to);
    const took = bench.until(() => bench.config.shards[0]?.owner === to, 60_000);
    isOver = true;
    expect(took).toBeGreaterThan(1_000);
    expect(bench.lines('move-throttled').length).toBe(1);
    expect(bench.put(other[0] as string, 'not slowed down').status).toBe(Status.ok);
    expect(bench.lines('move-active')[0]?.pauseMs).toBeLessThan(300);
    bench.run(10_000);
    for (const key of own) expect(bench.get(key)).toBe(value);
  });
});
