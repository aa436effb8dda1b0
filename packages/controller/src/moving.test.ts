import { assert, must } from '@flotilla/base';
import type { ClusterConfig, ShardRecord } from '@flotilla/wire';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ControllerCommand, ReportedMove } from './command.ts';
import { homeOf } from './intents.ts';
import { encodeLoads } from './loads.ts';
import { liveGroups, plan, planInput } from './planner.ts';
import { ControllerBench } from './testing/bench.ts';
import { Movers } from './testing/movers.ts';

/**
 * Random orders and reports in random order, against what must hold whatever happens: each report is true of some
 * move that there was, nothing else is promised of it.
 */

const GIDS = 5;
const SHARDS = 9;

function homes(config: ClusterConfig): readonly number[] {
  return config.shards.map(homeOf);
}

/** As few changes as lead to groups within one shard of each other: the larger places go to those that hold most. */
function fewestChanges(now: readonly number[], groups: readonly number[]): number {
  const held = groups
    .map((gid) => now.filter((home) => home === gid).length)
    .sort((left, right) => right - left);
  const least = Math.floor(now.length / groups.length);
  const larger = now.length % groups.length;
  const kept = held.map((count, at) => Math.min(count, at < larger ? least + 1 : least));
  return now.length - kept.reduce((sum, count) => sum + count, 0);
}

function fewestByTrying(now: readonly number[], groups: readonly number[]): number {
  let fewest = Number.POSITIVE_INFINITY;
  for (let code = 0; code < groups.length ** now.length; code++) {
    let rest = code;
    const sizes = groups.map(() => 0);
    let changes = 0;
    for (const home of now) {
      const at = rest % groups.length;
      rest = Math.floor(rest / groups.length);
      sizes[at] = (sizes[at] ?? 0) + 1;
      if (groups[at] !== home) changes++;
    }
    if (Math.max(...sizes) - Math.min(...sizes) <= 1) fewest = Math.min(fewest, changes);
  }
  return fewest;
}

type Step =
  | { readonly kind: 'command'; readonly command: ControllerCommand }
  | {
      readonly kind: 'order';
      readonly order: 'cancel' | 'pause' | 'resume';
      readonly of: number;
      readonly one: boolean;
    }
  | { readonly kind: 'advance'; readonly shard: number; readonly isEager: boolean }
  | {
      readonly kind: 'report';
      readonly end: 'done' | 'cancelled' | 'tooLate';
      readonly isFresh: boolean;
      readonly some: readonly number[];
    }
  | { readonly kind: 'reload' };

const gid = fc.integer({ min: 1, max: GIDS });
const shard = fc.nat(SHARDS - 1);
const gids = fc.uniqueArray(gid, { minLength: 1, maxLength: 3 });

const command: fc.Arbitrary<ControllerCommand> = fc.oneof(
  {
    weight: 3,
    arbitrary: gids.map(
      (gids) => ({ kind: 'join', groups: gids.map((gid) => ({ gid, stores: ['s1'] })) }) as const,
    ),
  },
  { weight: 3, arbitrary: gids.map((gids) => ({ kind: 'leave', gids }) as const) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('move' as const), shard, gid }) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.record({ operations: fc.nat(1000), bytes: fc.nat(2 ** 31), cpuMs: fc.nat(20) }), {
        minLength: SHARDS,
        maxLength: SHARDS,
      })
      .map((loads) => ({ kind: 'rebalance', loads: encodeLoads(loads) }) as const),
  },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: command.map((command) => ({ kind: 'command', command }) as const) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('order' as const),
      order: fc.constantFrom('cancel' as const, 'pause' as const, 'resume' as const),
      of: fc.nat(SHARDS - 1),
      one: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), shard, isEager: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('report' as const),
      end: fc.constantFrom('done' as const, 'cancelled' as const, 'tooLate' as const),
      isFresh: fc.boolean(),
      some: fc.array(fc.nat(99), { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reload' } as const) },
);

class Story {
  readonly bench: ControllerBench = new ControllerBench();
  readonly movers: Movers;
  /** Nobody has placed or kept a shard by hand since groups were last made even. */
  isEven = true;
  /** By shard: the move that was cancelled by hand, and is not to go on anywhere. */
  readonly #kept = new Map<number, number>();

  constructor() {
    this.bench.found(SHARDS, 3);
    this.movers = new Movers(this.bench);
  }

  run(step: Step): void {
    switch (step.kind) {
      case 'command':
        this.#command(step.command);
        return;
      case 'order': {
        const open = this.bench.open();
        const move = open[step.of % Math.max(1, open.length)];
        if (move === undefined) return;
        this.#command({ kind: step.order, moveId: move.moveId, shard: step.one ? move.shard : undefined });
        return;
      }
      case 'advance':
        this.movers.advance(step.shard, step.isEager);
        return;
      case 'report': {
        const isOpen = ({ shard, moveId }: ReportedMove): boolean =>
          recordOf(this.bench.config, shard).intent?.moveId === moveId;
        const facts = this.movers.facts(step.end).filter((fact) => !step.isFresh || isOpen(fact));
        const moves = step.some.flatMap((at) => facts[at % Math.max(1, facts.length)] ?? []);
        this.#command({ kind: step.end, moves: moves.map(({ shard, moveId }) => ({ shard, moveId })) });
        return;
      }
      case 'reload':
        this.bench.reload();
    }
  }

  #command(command: ControllerCommand): void {
    const before = this.bench.config;
    const preview = this.bench.group.preview(command);
    const answer = this.bench.run(command);
    const after = this.bench.config;
    expect(preview.answer).toEqual(answer.ok ? { ...answer, configNumber: before.number } : answer);
    this.#checkStep(before, after, command);
    this.#checkConfig(after);
    if (!answer.ok) return;
    if (answer.changed && (command.kind === 'join' || command.kind === 'leave'))
      this.#checkPlan(before, after);
    if (command.kind === 'join' || command.kind === 'leave') {
      this.isEven ||= answer.changed;
      if (answer.changed) this.#kept.clear();
    }
    if (command.kind === 'rebalance') {
      this.isEven = this.#kept.size === 0;
      for (const [shard, record] of before.shards.entries()) {
        if (record.pinned) expect(homeOf(recordOf(after, shard))).toBe(homeOf(record));
      }
    }
    if (answer.changed && (command.kind === 'cancel' || command.kind === 'move')) this.isEven = false;
  }

  #checkStep(before: ClusterConfig, after: ClusterConfig, command: ControllerCommand): void {
    const isReport = command.kind === 'done' || command.kind === 'cancelled' || command.kind === 'tooLate';
    for (const [shard, record] of after.shards.entries()) {
      const former = recordOf(before, shard);
      if (record === former) continue;
      const says = (): string => `shard ${shard}: ${JSON.stringify({ former, record, command })}`;
      const isDone = record.owner !== former.owner;
      assert(record.epoch - former.epoch === (isDone ? 1 : 0), says);
      assert(!isDone || (command.kind === 'done' && former.intent?.target === record.owner), says);
      const { intent } = former;
      if (intent !== undefined && record.intent?.moveId !== intent.moveId) {
        assert(command.kind === 'done' || command.kind === 'cancelled', says);
      }
      // Only who was kept where it was by hand, and too late, ends elsewhere than was planned.
      const isKept = intent !== undefined && this.#kept.get(shard) === intent.moveId;
      if (isReport && !isKept && liveGroups(before).includes(homeOf(former))) {
        assert(homeOf(record) === homeOf(former), says);
      }
      if (command.kind === 'cancel' && record.intent !== undefined)
        this.#kept.set(shard, record.intent.moveId);
      else if (homeOf(record) !== homeOf(former) || (record.intent?.next ?? 0) !== 0)
        this.#kept.delete(shard);
    }
  }

  #checkConfig(config: ClusterConfig): void {
    const says = (): string => JSON.stringify(config);
    const all = config.groups.map((group) => group.gid);
    const named = new Set<number>();
    for (const { owner, intent } of config.shards) {
      for (const gid of [owner, intent?.target ?? 0, intent?.next ?? 0]) {
        assert(gid === 0 || all.includes(gid), says);
        named.add(gid);
      }
      assert(intent?.target !== owner, says);
    }
    for (const group of config.groups) assert(!group.leaving || named.has(group.gid), says);
  }

  #checkPlan(before: ClusterConfig, after: ClusterConfig): void {
    expect(after.shards.some((record) => record.pinned)).toBe(false);
    const live = liveGroups(after);
    if (live.length === 0) return;
    const now = homes(before);
    const changed = homes(after).filter((home, shard) => home !== now[shard]).length;
    expect(changed).toBe(fewestChanges(now, live));
    const sizes = live.map((gid) => homes(after).filter((home) => home === gid).length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  }

  /** Lets everything end, in an order that the seed chose. */
  settle(order: readonly number[]): void {
    for (let round = 0; this.bench.open().length > 0; round++) {
      expect(round).toBeLessThan(12);
      const open = this.bench.open().map((move) => move.shard);
      const shards = [...open].sort((left, right) => (order[left] ?? 0) - (order[right] ?? 0));
      for (const shard of shards) {
        this.movers.advance(shard, false);
        this.movers.advance(shard, false);
      }
      for (const end of ['tooLate', 'cancelled', 'done'] as const) {
        this.run({ kind: 'report', end, isFresh: false, some: this.movers.facts(end).map((_, at) => at) });
      }
    }
  }

  /** Nothing is open any more. */
  release(): void {
    this.#kept.clear();
  }

  checkEnd(): void {
    const { config } = this.bench;
    expect(config.shards.map((record) => record.owner)).toEqual(this.movers.serving);
    const live = liveGroups(config);
    if (live.length === 0) return;
    expect(config.groups).toHaveLength(live.length);
    for (const { owner } of config.shards) expect(live).toContain(owner);
    if (this.isEven) expect(plan(planInput(config))).toEqual([]);
  }
}

function recordOf(config: ClusterConfig, shard: number): ShardRecord {
  return must(config.shards[shard], 'the cluster has the shard');
}

test('the computed minimum of moves is the one that trying every placement finds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
      (now, groups) => fewestChanges(now, groups) === fewestByTrying(now, groups),
    ),
  );
});

test('whatever is asked and reported in whatever order, moves are few, ends are kept, and all comes to rest', {
  timeout: 60_000,
}, () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80, size: 'max' }),
      fc.array(fc.nat(), { minLength: SHARDS, maxLength: SHARDS }),
      (steps, order) => {
        const story = new Story();
        for (const each of steps) story.run(each);
        story.settle(order);
        story.checkEnd();
        story.release();
        story.run({ kind: 'command', command: { kind: 'rebalance', loads: new Uint8Array(0) } });
        story.settle(order);
        story.checkEnd();
      },
    ),
    { numRuns: 150 },
  );
});
