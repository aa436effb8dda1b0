import { must, Prng } from '@flotilla/base';
import type { ClusterConfig } from '@flotilla/wire';
import { expect, test } from 'vitest';
import type { ControllerAnswer } from './answer.ts';
import { type ControllerCommand, encodeControllerEntry } from './command.ts';
import { stampControllerEntry } from './format.ts';
import { homeOf } from './intents.ts';
import { liveGroups } from './planner.ts';
import { ControllerBench, joinCommand } from './testing/bench.ts';
import { jsonCodec } from './testing/json-codec.ts';

/**
 * The situations in which shard controllers are usually tried: groups come and go, alone, several in one command,
 * and asked for by many clients at once. Three replicas apply one log. After every command the groups are level,
 * nobody unknown holds a shard, and exactly as many shards moved as have to.
 */

const SHARDS = 10;

class Trio {
  readonly replicas: readonly ControllerBench[];
  /** Replicas that are down, and catch up from the log when they come back. */
  readonly down = new Set<number>();
  readonly #log: Uint8Array[] = [];

  constructor() {
    this.replicas = [1, 2, 3].map((at) => new ControllerBench({ prefix: Uint8Array.of(at) }));
    for (const replica of this.replicas) replica.found(SHARDS, 6);
  }

  get config(): ClusterConfig {
    return this.#up().config;
  }

  #up(): ControllerBench {
    return must(
      this.replicas.find((_, at) => !this.down.has(at)),
      'one replica is up',
    );
  }

  run(command: ControllerCommand, requestId = ''): ControllerAnswer {
    const before = this.config;
    const entry = encodeControllerEntry(jsonCodec, command, requestId, 'tester');
    stampControllerEntry(entry, 1_000_000 + this.#log.length);
    this.#log.push(entry);
    const answers = this.replicas.flatMap((replica, at) => (this.down.has(at) ? [] : [replica.apply(entry)]));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    if (command.kind === 'join' || command.kind === 'leave') this.check(before);
    return must(answers[0], 'one replica is up');
  }

  ok(command: ControllerCommand): ControllerAnswer & { readonly ok: true } {
    const answer = this.run(command);
    if (!answer.ok) throw new Error(`refused: ${answer.message}`);
    return answer;
  }

  /** Reports what is open as ended, in turn for as long as something is. */
  settle(): void {
    while (this.#up().open().length > 0) {
      for (const kind of ['cancelled', 'done'] as const) this.#end(kind, () => true);
    }
  }

  /** Reports some of what is open. */
  settleSome(random: Prng): void {
    this.#end('cancelled', () => random.chance(0.5));
    this.#end('done', () => random.chance(0.5));
  }

  #end(kind: 'cancelled' | 'done', wanted: () => boolean): void {
    const isCancelling = (shard: number): boolean => this.config.shards[shard]?.intent?.phase === 1;
    const moves = this.#up()
      .open()
      .filter(({ shard }) => (kind === 'cancelled') === isCancelling(shard) && wanted());
    if (moves.length > 0) this.ok({ kind, moves });
  }

  restart(at: number): void {
    this.down.delete(at);
    const replica = must(this.replicas[at], 'the replica exists');
    replica.reload();
    // The founding was the first entry of each.
    for (const entry of this.#log.slice(replica.index - 1)) replica.apply(entry);
  }

  check(before: ClusterConfig): void {
    const { config } = this;
    const live = liveGroups(config);
    if (live.length === 0 || config === before) return;
    const homes = config.shards.map(homeOf);
    expect(homes.filter((home) => !live.includes(home))).toEqual([]);
    const sizes = live.map((gid) => homes.filter((home) => home === gid).length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    const moved = homes.filter(
      (home, shard) => home !== homeOf(must(before.shards[shard], 'shards stay')),
    ).length;
    expect(moved).toBe(fewest(before, live));
  }

  gids(): readonly number[] {
    return this.config.groups.map((group) => group.gid);
  }

  /** gid of each shard, with nothing open. */
  owners(): readonly number[] {
    expect(this.#up().open()).toEqual([]);
    return this.config.shards.map((shard) => shard.owner);
  }
}

/** Computed without the planner: what is kept at most, if the larger places go to those that hold most. */
function fewest(before: ClusterConfig, live: readonly number[]): number {
  const homes = before.shards.map(homeOf);
  const held = live
    .map((gid) => homes.filter((home) => home === gid).length)
    .sort((left, right) => right - left);
  const least = Math.floor(SHARDS / live.length);
  const kept = held.map((count, at) => Math.min(count, at < SHARDS % live.length ? least + 1 : least));
  return SHARDS - kept.reduce((sum, count) => sum + count, 0);
}

const leave = (...gids: number[]) => ({ kind: 'leave', gids }) as const;
const stores = 's1 s2 s3';

test('an empty cluster, two joins one after the other, and a leave; the second one has nowhere to go', () => {
  const trio = new Trio();
  expect(trio.config.groups).toEqual([]);
  expect(trio.config.shards.every((shard) => shard.owner === 0)).toBe(true);
  trio.ok(joinCommand({ 1: 's3 s1 s2' }));
  trio.settle();
  trio.ok(joinCommand({ 2: 's4 s6 s5' }));
  trio.settle();
  expect(trio.config.groups.map((group) => group.replicas.map((place) => place.storeId))).toEqual([
    ['s3', 's1', 's2'],
    ['s4', 's6', 's5'],
  ]);
  expect(trio.config.shards.filter((shard) => shard.owner === 1)).toHaveLength(5);
  trio.ok(leave(1));
  trio.settle();
  expect(trio.gids()).toEqual([2]);
  expect(new Set(trio.owners())).toEqual(new Set([2]));
  expect(trio.run(leave(2))).toMatchObject({ ok: false, code: 'no-group-left' });
});

test('every version is the same at every replica, whichever was down while it was made', () => {
  const trio = new Trio();
  const saved: ClusterConfig[] = [];
  const commands = [
    joinCommand({ 1: stores }),
    joinCommand({ 2: stores }),
    leave(1),
    joinCommand({ 3: stores, 4: stores }),
    leave(2, 3),
    joinCommand({ 1: 's4 s5 s6' }),
  ];
  for (const [at, command] of commands.entries()) {
    const victim = at % 3;
    trio.down.add(victim);
    trio.ok(command);
    trio.settle();
    saved.push(trio.config);
    trio.restart(victim);
  }
  for (const replica of trio.replicas) {
    for (const config of saved) expect(replica.group.configAt(config.number)).toEqual(config);
    expect(replica.config).toEqual(saved.at(-1));
  }
});

test('moves place each shard exactly, by a config each, until the next leave', () => {
  const trio = new Trio();
  trio.ok(joinCommand({ 503: stores, 504: stores }));
  trio.settle();
  for (let shard = 0; shard < SHARDS; shard++) {
    const { number } = trio.config;
    const gid = shard < SHARDS / 2 ? 503 : 504;
    const isThere = homeOf(must(trio.config.shards[shard], 'the shard exists')) === gid;
    trio.ok({ kind: 'move', shard, gid });
    expect(trio.config.number).toBe(isThere ? number : number + 1);
  }
  trio.settle();
  expect(trio.owners()).toEqual([503, 503, 503, 503, 503, 504, 504, 504, 504, 504]);
  trio.ok(leave(503));
  trio.settle();
  expect(new Set(trio.owners())).toEqual(new Set([504]));
});

test('ten clients at once join a group, join another and leave the first: the others are left', () => {
  for (let seed = 0; seed < 10; seed++) {
    const trio = new Trio();
    const scripts = Array.from({ length: 10 }, (_, client) => {
      const gid = 100 + client * 10;
      return [joinCommand({ [gid + 1000]: stores }), joinCommand({ [gid]: stores }), leave(gid + 1000)];
    });
    interleave(trio, scripts, seed);
    expect(trio.gids()).toEqual(Array.from({ length: 10 }, (_, client) => 100 + client * 10));
    expect(new Set(trio.owners()).size).toBe(10);
  }
});

test('ten clients at once join three groups each and leave two: the others are left', () => {
  for (let seed = 0; seed < 10; seed++) {
    const trio = new Trio();
    const scripts = Array.from({ length: 10 }, (_, client) => {
      const gid = 1 + client;
      return [
        joinCommand({ [gid]: stores, [gid + 1000]: stores, [gid + 2000]: stores }),
        leave(gid + 1000, gid + 2000),
      ];
    });
    interleave(trio, scripts, seed);
    expect(trio.gids()).toEqual(Array.from({ length: 10 }, (_, client) => 1 + client));
    expect(new Set(trio.owners()).size).toBe(10);
  }
});

/** Runs each script in its order, all of them mixed; some requests come twice, and moves end when they like. */
function interleave(trio: Trio, scripts: readonly (readonly ControllerCommand[])[], seed: number): void {
  const random = new Prng(seed);
  const next = scripts.map(() => 0);
  const open = new Set(scripts.keys());
  while (open.size > 0) {
    const client = must([...open][random.below(open.size)], 'a client is not done');
    const at = next[client] as number;
    const command = must(scripts[client]?.[at], 'the script goes on');
    const requestId = `client ${client} step ${at}`;
    const answer = trio.run(command, requestId);
    expect(answer).toMatchObject({ ok: true });
    if (random.chance(0.3)) {
      const { config } = trio;
      expect(trio.run(command, requestId)).toEqual(answer);
      expect(trio.config).toBe(config);
    }
    if (random.chance(0.4)) trio.settleSome(random);
    next[client] = at + 1;
    if (at + 1 === scripts[client]?.length) open.delete(client);
  }
  trio.settle();
}

test('joins move nothing between the groups that were there, and leaves nothing between those that stay', () => {
  for (const isAtOnce of [false, true]) {
    const trio = new Trio();
    const old = [100, 110, 120];
    trio.ok(joinCommand(Object.fromEntries(old.map((gid) => [gid, stores]))));
    trio.settle();
    const before = trio.owners();
    const fresh = Array.from({ length: 5 }, (_, at) => 201 + at);
    for (const gids of isAtOnce ? [fresh] : fresh.map((gid) => [gid])) {
      trio.ok(joinCommand(Object.fromEntries(gids.map((gid) => [gid, stores]))));
      trio.settle();
    }
    const during = trio.owners();
    expect(new Set(during).size).toBe(8);
    for (const [shard, gid] of during.entries()) {
      if (old.includes(gid)) expect(gid).toBe(before[shard]);
    }
    for (const gids of isAtOnce ? [fresh] : fresh.map((gid) => [gid])) {
      trio.ok(leave(...gids));
      trio.settle();
    }
    for (const [shard, gid] of trio.owners().entries()) {
      const former = during[shard] as number;
      if (old.includes(former)) expect(gid).toBe(former);
    }
    expect(trio.gids()).toEqual(old);
  }
});

test('two groups join in one command and leave in one command', () => {
  const trio = new Trio();
  trio.ok(joinCommand({ 1: stores, 2: 's4 s5 s6' }));
  trio.settle();
  trio.ok(joinCommand({ 3: stores, 4: stores }));
  trio.settle();
  expect(new Set(trio.owners())).toEqual(new Set([1, 2, 3, 4]));
  trio.ok(leave(1, 3));
  trio.settle();
  expect(trio.gids()).toEqual([2, 4]);
  expect(trio.owners().filter((gid) => gid === 2)).toHaveLength(5);
});

test('every sequence of joins and leaves of random sets moves exactly the computed minimum', () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Prng(seed);
    const trio = new Trio();
    for (let step = 0; step < 25; step++) {
      const gids = [...new Set(Array.from({ length: 1 + random.below(3) }, () => 1 + random.below(13)))];
      const known = gids.filter((gid) => trio.gids().includes(gid));
      if (random.chance(0.5)) trio.ok(joinCommand(Object.fromEntries(gids.map((gid) => [gid, stores]))));
      else if (known.length > 0) trio.run(leave(...known));
      if (random.chance(0.6)) trio.settleSome(random);
    }
    trio.settle();
    const live = liveGroups(trio.config);
    expect(trio.gids()).toEqual(live);
    for (const owner of trio.owners()) expect(live.length === 0 ? [0] : live).toContain(owner);
  }
});
