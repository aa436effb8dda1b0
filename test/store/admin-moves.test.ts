import { utf8Encode, Xxh64 } from '@flotilla/base';
import {
  type ChangeResult,
  FrameKind,
  type MovesPage,
  parseAdminResult,
  readConfig,
  type StatusPage,
  shardOf,
} from '@flotilla/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Bench, type BenchStore, type RawClient } from './bench.ts';

const SHARDS = 16;
const ONE = ['s1', 's2', 's3'];
const TWO = ['s4', 's5', 's6'];

let bench: Bench;
let client: RawClient;
let requests = 0;

function ask(method: string, params: object, from = client): unknown {
  const slot = from.admin(method, { requestId: `r${++requests}`, ...params });
  bench.until(() => slot.value !== undefined);
  return slot.value;
}

/** The result of a request that must succeed. */
function result(method: Parameters<typeof parseAdminResult>[0], params: object): unknown {
  const reply = ask(method, params) as { ok: boolean; result: never };
  if (!reply.ok) throw new Error(JSON.stringify(reply));
  return parseAdminResult(method, reply.result);
}

function change(method: 'join' | 'leave' | 'move' | 'rebalance' | 'pause' | 'cancel', params: object) {
  return result(method, params) as ChangeResult;
}

function config() {
  const { config } = result('config', {}) as { config: Uint8Array };
  return readConfig(config);
}

function moves(all = false): MovesPage {
  return result('moves', { all, after: '' }) as MovesPage;
}

function status(): StatusPage {
  return result('status', { after: '' }) as StatusPage;
}

function isAtRest(): boolean {
  return bench.stores.every(
    (store) => !store.isRunning || store.node.config.shards.every(({ intent }) => intent === undefined),
  );
}

/** Some keys in the shards that group 1 has had from the beginning. */
function write(count: number): void {
  const writer = bench.client(bench.leader(1));
  for (let at = 0; at < count; at++) {
    const request = writer.put([`k${at}`], SHARDS, { gid: 1 });
    bench.until(() => writer.batches.has(request));
  }
  writer.close();
}

/** Groups 1 and 2 on three stores each, with eight shards each. */
function twoGroups(): void {
  bench = new Bench({ count: 6, shardCount: SHARDS }).bootstrap();
  client = bench.client();
  bench.until(() => bench.stores.every((store) => store.node.readiness().ready));
  change('join', { groups: [{ gid: 1, stores: ONE }] });
  bench.until(isAtRest);
  change('join', { groups: [{ gid: 2, stores: TWO }] });
  bench.until(isAtRest);
}

describe('a change of the cluster', () => {
  beforeEach(twoGroups);

  test('that is only planned tells what it would do, and does nothing', () => {
    write(40);
    const { number } = config();
    const plan = change('leave', { gids: [1], plan: true });
    expect(plan.changed).toBe(true);
    expect(plan.message).toContain('8 shards move to group 2');
    expect(plan.plan?.count).toBe(8);
    expect(plan.plan?.moves.every(({ from, to }) => from === 1 && to === 2)).toBe(true);
    expect(plan.plan?.bytes).toBeGreaterThan(0);
    expect(plan.plan?.bytes).toBe(plan.plan?.moves.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(plan.plan?.seconds).toBe(1);
    bench.run(500);
    expect(config().number).toBe(number);
    expect(change('join', { groups: [{ gid: 3, stores: ONE }], plan: true }).plan?.count).toBe(5);
    expect(change('rebalance', { plan: true })).toMatchObject({
      changed: false,
      plan: { count: 0, moves: [] },
    });
    const shard = config().shards.findIndex(({ owner }) => owner === 1);
    const one = change('move', { shard, gid: 2, plan: true });
    expect(one.plan?.moves).toMatchObject([{ shard, from: 1, to: 2 }]);
    expect(ask('leave', { gids: [9], plan: true })).toMatchObject({ ok: false, code: 'unknown-group' });
    expect(config().number).toBe(number);
  });

  test('tells its plan as it is made, and a repeat tells the same', () => {
    write(10);
    const shard = config().shards.findIndex(({ owner }) => owner === 1);
    const params = { requestId: 'same', shard, gid: 2, plan: false };
    const first = change('move', params);
    expect(first.plan).toMatchObject({ count: 1, moves: [{ shard, from: 1, to: 2 }] });
    bench.until(isAtRest);
    const again = change('move', params);
    expect({ ...again, plan: undefined }).toEqual({ ...first, plan: undefined });
    expect(again.plan?.moves).toMatchObject([{ shard, from: 1, to: 2 }]);
    expect(config().shards[shard]?.owner).toBe(2);
    expect(change('move', { shard, gid: 2, plan: false })).toMatchObject({
      changed: false,
      plan: { count: 0 },
    });
  });

  test('reaches the leader of the controller from any store, also when it is a plan or needs measured loads', () => {
    for (const store of bench.stores) {
      const other = bench.client(store);
      expect(ask('leave', { gids: [1], plan: true }, other)).toMatchObject({ ok: true });
      expect(ask('rebalance', { plan: false }, other)).toMatchObject({
        ok: true,
        result: { changed: false },
      });
      expect(ask('policy', { auto: false }, other)).toMatchObject({ ok: true });
    }
  });

  test('of the policy, and orders to moves that do not exist, are answered', () => {
    expect(ask('policy', { movesPerStore: 4, moveBytesPerSecond: 0 })).toMatchObject({
      ok: true,
      result: { changed: true },
    });
    expect(config().policy).toEqual({ auto: false, moveBytesPerSecond: 0, movesPerStore: 4 });
    for (const method of ['pause', 'resume', 'cancel']) {
      expect(ask(method, { moveId: 77 })).toMatchObject({ ok: false, code: 'unknown-move' });
    }
  });
});

describe('moves', () => {
  beforeEach(twoGroups);

  test('are listed while they are open, with what people ordered, and when they have ended on demand', () => {
    for (const id of TWO) bench.store(id).crash();
    const shard = config().shards.findIndex(({ owner }) => owner === 1);
    const { configNumber: moveId } = change('move', { shard, gid: 2, plan: false });
    const told = (): unknown => moves().moves[0];
    bench.run(2_000);
    expect(told()).toMatchObject({ moveId, shard, source: 1, target: 2, state: 'waiting' });
    expect((told() as { problem: string }).problem).toContain('group 2 has no leader');
    change('pause', { moveId });
    expect(told()).toMatchObject({ state: 'paused' });
    change('cancel', { moveId });
    expect(moves().moves.every(({ state }) => state === 'cancelling')).toBe(true);
    bench.until(isAtRest);
    expect(moves()).toEqual({ configNumber: config().number, moves: [], next: '' });
    for (const id of TWO) bench.store(id).start();
    bench.leader(2);
    change('move', { shard, gid: 2, plan: false });
    bench.until(isAtRest);
    expect(moves().moves).toEqual([]);
    const ended = moves(true).moves;
    expect(ended.at(-1)).toMatchObject({ shard, source: 1, target: 2, state: 'done' });
    expect(ended.every(({ state }) => state === 'done' || state === 'cancelled')).toBe(true);
  });

  test('come in pages', () => {
    bench = new Bench({ count: 3, shardCount: 512 }).bootstrap();
    client = bench.client();
    change('join', { groups: [{ gid: 1, stores: ['s1'] }] });
    bench.until(isAtRest);
    bench.store('s1').crash();
    client = bench.client(bench.store('s2'));
    bench.leader(0);
    bench.run(200);
    change('join', { groups: [{ gid: 2, stores: ['s2'] }] });
    const found: number[] = [];
    for (let after = '', pages = 1; ; pages++) {
      const page = result('moves', { all: false, after }) as MovesPage;
      found.push(...page.moves.map(({ shard }) => shard));
      after = page.next;
      if (after !== '') continue;
      expect(pages).toBe(2);
      break;
    }
    expect(found).toHaveLength(256);
    expect(new Set(found).size).toBe(256);
    expect(found).toEqual([...found].sort((left, right) => left - right));
  });

  test('that strand a shard are in the status, and how to end that', () => {
    const target = bench.leader(2);
    const shard = config().shards.findIndex(({ owner }) => owner === 1);
    const { configNumber } = change('move', { shard, gid: 2, plan: false });
    // The source has just said that it is frozen.
    const isFrozen = (event: string): boolean =>
      event.startsWith('move-frozen') && event.includes(`"moveId":${configNumber},`);
    bench.until(() => target.events.some(isFrozen));
    for (const id of TWO) bench.store(id).crash();
    bench.run(3_000);
    const { problems } = status();
    expect(problems.filter(({ severity }) => severity === 'critical')).toContainEqual({
      severity: 'critical',
      what: `shard ${shard} is served by nobody: group 1 has handed it over to group 2, which has no leader`,
      next: 'start at least one of the stores s4, s5, s6',
    });
    expect(problems.map(({ what }) => what).join()).not.toContain('does not serve');
    for (const id of TWO) bench.store(id).start();
    bench.until(isAtRest);
    expect(config().shards[shard]?.owner).toBe(2);
    bench.run(1_000);
    expect(status().problems).toEqual([]);
  });

  test('that stand still for a minute are in the status, and how to end that', () => {
    const shard = config().shards.findIndex(({ owner }) => owner === 1);
    for (const id of ONE) {
      const links = bench.linksOf(bench.store(id));
      const send = links.send.bind(links);
      // Every question about content stays without an answer, and so does every step.
      links.send = (to, lane, kind, body, urgency) =>
        kind === FrameKind.moveReply ||
        kind === FrameKind.moveStepReply ||
        send(to, lane, kind, body, urgency);
    }
    const { configNumber: moveId } = change('move', { shard, gid: 2, plan: false });
    bench.run(55_000);
    expect(status().problems).toEqual([]);
    bench.run(20_000);
    const [problem] = status().problems;
    expect(problem?.severity).toBe('warning');
    expect(problem?.what).toMatch(
      new RegExp(`^move ${moveId} of shard ${shard} from group 1 to group 2 has made no progress for \\d+ s`),
    );
    expect(problem?.next).toContain(`flotilla cancel ${moveId}`);
  });
});

describe('a group that leaves', () => {
  beforeEach(twoGroups);

  test('is dismantled with its last shard, and its id comes back as another group on other stores', () => {
    write(20);
    const { configNumber } = change('leave', { gids: [2], plan: false });
    bench.until(() => config().groups.every(({ gid }) => gid !== 2));
    bench.until(() => TWO.every((id) => bench.store(id).node.host.replica(2) === undefined));
    const after = config();
    expect(after.shards.every(({ owner }) => owner === 1)).toBe(true);
    for (const id of TWO) {
      const store = bench.store(id);
      expect(store.events.some((event) => event.startsWith('replica-removed'))).toBe(true);
      expect(store.fatal).toEqual([]);
    }
    change('join', { groups: [{ gid: 2, stores: ['s1', 's4', 's5'] }] });
    bench.until(isAtRest);
    const reborn = config().groups.find(({ gid }) => gid === 2);
    expect(reborn?.incarnation).toBeGreaterThan(configNumber);
    expect(bench.store('s6').node.host.replica(2)).toBeUndefined();
    const shards = config().shards.filter(({ owner }) => owner === 2);
    expect(shards).toHaveLength(8);
  });

  test('and comes back at once ends and begins on each store in this order, also over crashes', () => {
    const victim = bench.store('s5');
    change('leave', { gids: [2], plan: false });
    bench.until(() => config().groups.every(({ gid }) => gid !== 2));
    victim.crash();
    change('join', { groups: [{ gid: 2, stores: TWO }] });
    bench.until(isAtRest);
    victim.start();
    const { incarnation } = config().groups.find(({ gid }) => gid === 2) ?? { incarnation: 0 };
    bench.until(() => victim.node.host.replica(2)?.group.incarnation === incarnation);
    bench.until(() => victim.node.readiness().ready);
    expect(victim.fatal).toEqual([]);
  });
});

describe('load', () => {
  test('moves shards from a busy group to an idle one, on request and by itself', () => {
    twoGroups();
    // Two shards of group 1 are hot.
    const hot = (): number[] => {
      const { shards } = config();
      return [...shards.entries()].flatMap(([shard, { owner }]) => (owner === 1 ? [shard] : [])).slice(0, 2);
    };
    const shards = hot();
    const keys = shards.map((shard) => {
      for (let at = 0; ; at++)
        if (shardOf(utf8Encode(`hot${at}`), SHARDS, new Xxh64()) === shard) return `hot${at}`;
    });
    const busy = (store: BenchStore, seconds: number): void => {
      const writer = bench.client(store);
      for (let at = 0; at < seconds * 5; at++) {
        for (const key of keys) writer.put([key], SHARDS, { gid: 1 });
        bench.run(200);
      }
      writer.close();
    };
    busy(bench.leader(1), 20);
    const planned = change('rebalance', { plan: true });
    expect(planned.changed).toBe(true);
    expect(planned.plan?.moves.some(({ shard, from }) => from === 1 && shards.includes(shard))).toBe(true);
    expect(ask('policy', { auto: true })).toMatchObject({ ok: true });
    const before = config().number;
    busy(bench.leader(1), 40);
    bench.until(() => config().number > before);
    expect(config().cause.length).toBeGreaterThan(0);
    bench.until(isAtRest);
    const owners = shards.map((shard) => config().shards[shard]?.owner);
    expect(new Set(owners).size).toBe(2);
    expect(config().shards.filter(({ owner }) => owner === 1)).toHaveLength(8);
  });
});
