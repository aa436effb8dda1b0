import { must } from '@flotilla/base';
import { type SimStore, SimWrite } from '@flotilla/testkit/internal';
import { MoveStep } from '@flotilla/wire';
import { expect, test } from 'vitest';
import type { Lab } from './lab.ts';
import { play, scenario } from './scenario.ts';

// What the usual situations leave out: rows SC-B6-… of docs/testing.md.

/** Writes of 500 bytes into one shard, so that its copy takes a while at this pace. */
const SLOW_COPY = { auto: undefined, moveBytesPerSecond: 8_000, movesPerStore: undefined };

/** Runs until the next store applies such a step. */
function untilStep(lab: Lab, step: MoveStep): void {
  let isSeen = false;
  lab.cluster.entries.onStep = (_store, applied) => {
    if (applied === step) isSeen = true;
  };
  lab.until(`step ${step} is applied`, () => isSeen);
  lab.cluster.entries.onStep = () => {};
}

function fill(lab: Lab, shard: number, keys: number, valueBytes: number): readonly string[] {
  const filled = lab.keys(keys, [shard]);
  lab.append(filled, `${'v'.repeat(valueBytes - 1)};`);
  return filled;
}

const detours = [
  ['a third group', 3],
  ['the first owner again', 1],
] as const;

for (const [where, last] of detours) {
  scenario(
    `a retry that meets the shard at ${where} after two moves has the first answer, and is not executed again`,
    { groups: [1, 2, 3] },
    (lab) => {
      const { world, stores } = lab.cluster;
      const key = must(lab.keys(1, lab.shardsOf(1))[0], 'a key of group 1');
      const client = lab.cluster.addClient('doubtful');
      const { core } = client;
      const answers: string[] = [];
      const increment = (): void => {
        const call = { kind: 'increment', delta: 1 } as const;
        const open = lab.recorder.invoke('doubtful', key, call);
        core.submit(
          new SimWrite(key, call, core.deadlineMs(60_000), (outcome) => {
            lab.recorder.respond(open, outcome);
            answers.push(outcome.kind === 'ok' ? (outcome.value ?? '') : outcome.kind);
          }),
        );
      };
      increment();
      lab.until('the first is answered', () => answers.length === 1);
      const others = stores.map((store) => store.id);
      world.links.cut(
        'replies',
        others.map((id) => `${id}>doubtful`),
      );
      increment();
      lab.until('the second is executed', () => lab.read(key) === '2');
      world.links.cut(
        'requests',
        others.map((id) => `doubtful>${id}`),
      );
      for (const gid of [2, last]) {
        lab.move(lab.shardOf(key), gid);
        lab.until('the move has ended', () => lab.openMoves === 0);
      }
      // The answer dies with its connection. First nobody but the first owner can be reached.
      for (const id of others) world.hub.breakLinks('doubtful', id);
      const far = [...lab.storesOf(2), ...lab.storesOf(3)];
      world.links.cut(
        'replies',
        far.map((id) => `${id}>doubtful`),
      );
      world.links.cut(
        'requests',
        far.map((id) => `doubtful>${id}`),
      );
      world.hub.release();
      if (last === 1) lab.until('the first owner answers', () => answers.length === 2);
      else lab.throughout(3_000, 'the first owner does not answer', () => answers.length === 1);
      world.links.heal('replies');
      world.links.heal('requests');
      world.hub.release();
      lab.until('the second is answered', () => answers.length === 2);
      expect(answers).toEqual(['1', '2']);
      expect(lab.read(key)).toBe('2');
    },
  );
}

interface Trouble {
  readonly words: string;
  readonly begin: (store: SimStore, lab: Lab) => void;
  readonly end: (store: SimStore, lab: Lab) => void;
  readonly forMs: number;
}

const others = (store: SimStore, lab: Lab): SimStore[] => lab.cluster.stores.filter((each) => each !== store);

const troubles: readonly Trouble[] = [
  {
    words: 'the disk of the leader stands still, for less than hands leadership away and for more',
    begin: (store) => store.stall(true),
    end: (store) => store.stall(false),
    forMs: 2_500,
  },
  {
    words: 'the store of the leader is slow, its disk and its network',
    begin: (store, lab) => {
      store.diskDelayMs = 100;
      for (const { id } of others(store, lab)) lab.cluster.world.links.slow(`slow ${id}`, store.id, id, 40);
    },
    end: (store, lab) => {
      store.diskDelayMs = 0;
      for (const { id } of others(store, lab)) lab.cluster.world.links.heal(`slow ${id}`);
    },
    forMs: 3_000,
  },
  {
    words: 'the clock of the leader jumps half a minute ahead, and later back',
    begin: (store) => store.stepClock(30_000),
    end: (store) => store.stepClock(-30_000),
    forMs: 2_000,
  },
];

for (const { words, begin, end, forMs } of troubles) {
  scenario(`a shard moves there and back while ${words}`, { groups: [1, 2] }, (lab) => {
    const shard = must(lab.shardsOf(1)[0], 'a shard of group 1');
    fill(lab, shard, 20, 500);
    lab.workers(3, 100, 4);
    lab.appenders(2, 40, lab.keys(1, [shard]));
    lab.ask('policy', SLOW_COPY);
    // First the source is in trouble, then, on the way back and for longer, the target: group 1 both times.
    for (const [turn, to] of [2, 1].entries()) {
      lab.move(shard, to);
      untilStep(lab, MoveStep.importChunk);
      const store = must(lab.leaderOf(1), 'a leader');
      begin(store, lab);
      lab.run(forMs * (1 + turn));
      end(store, lab);
      lab.until('the move has ended', () => lab.openMoves === 0);
      expect(lab.config.shards[shard]?.owner).toBe(to);
    }
  });
}

scenario(
  'twenty groups on the same three stores take shards from each other while one of the stores starts anew',
  {
    places: Object.fromEntries(Array.from({ length: 20 }, (_, at) => [at + 1, ['s1', 's2', 's3']])),
    groups: [1],
    shards: 64,
  },
  (lab) => {
    const keys = lab.keys(1);
    lab.append(keys, 'a;');
    const gids = Array.from({ length: 19 }, (_, at) => at + 2);
    lab.join(...gids);
    lab.run(50);
    lab.cluster.store('s2').powerCut();
    lab.append(keys, 'b;');
    lab.cluster.store('s2').start();
    lab.settled(1, ...gids);
    expect(lab.answering(keys, 2_000)).toEqual(keys);
    lab.leave(...gids.slice(0, 12));
    lab.settled(1, ...gids.slice(12));
  },
);

scenario(
  'the controller has no quorum while shards move: all keys are served all the time, and the moves end after it',
  { groups: [2, 3] },
  (lab) => {
    const shard = must(lab.shardsOf(2)[0], 'a shard of group 2');
    fill(lab, shard, 20, 500);
    const appenders = lab.appenders(16, 40, lab.keys(1));
    const hot = lab.appenders(2, 40, lab.keys(1, [shard]));
    lab.ask('policy', SLOW_COPY);
    lab.move(shard, 3);
    untilStep(lab, MoveStep.importChunk);
    const { number } = lab.config;
    const lost = lab.storesOf(1).slice(0, 2);
    for (const id of lost) lab.cluster.store(id).crash();
    const isServed = (): boolean =>
      lab.replicasOf(3).some(({ store }) => lab.servedShards(store, 3).includes(shard));
    lab.until('the target serves, of which no config tells', isServed);
    expect(lab.config.number).toBe(number);
    const callers = [...appenders, ...hot];
    for (let second = 0; second < 3; second++) {
      const before = callers.map((caller) => caller.answered);
      lab.run(1_000);
      for (const [at, caller] of callers.entries())
        expect(caller.answered - must(before[at], 'a count')).toBeGreaterThan(5);
    }
    expect(lab.config.number).toBe(number);
    for (const id of lost) lab.cluster.store(id).start();
    expect(lab.until('the move has ended', () => lab.openMoves === 0)).toBeLessThan(4_000);
    expect(lab.config.shards[shard]?.owner).toBe(3);
  },
);

scenario(
  'a big shard moves under writers that never rest: they wait only for the hand-over',
  { groups: [1, 2], pieceBytes: 32_768 },
  (lab) => {
    const shard = must(lab.shardsOf(1)[0], 'a shard of group 1');
    // A megabyte, which is many pages.
    fill(lab, shard, 256, 4_096);
    const writers = lab.appenders(12, 0, lab.keys(6, [shard]));
    lab.run(100);
    const begin = lab.cluster.world.time.monoMs();
    lab.move(shard, 2);
    lab.until('the move has ended', () => lab.openMoves === 0);
    lab.run(100);
    for (const { answered } of writers) expect(answered).toBeGreaterThan(20);
    const waits = lab.recorder.operations
      .filter(({ invokedMs = 0, key }) => invokedMs >= begin && lab.shardOf(key) === shard)
      .map(({ invokedMs = 0, respondedMs = 0 }) => respondedMs - invokedMs);
    expect(waits.length).toBeGreaterThan(200);
    expect(Math.max(...waits)).toBeLessThan(250);
  },
);

test('the same title is the same run, event by event', () => {
  const run = (title: string): string =>
    play(title, { places: { 1: ['s1', 's2', 's3'], 2: ['s4', 's5', 's6'] } }, 'unreliable', (lab) => {
      lab.workers(2, 50, 4);
      lab.leave(2);
      lab.settled(1);
    });
  const hash = run('one title');
  expect(run('one title')).toBe(hash);
  expect(run('another title')).not.toBe(hash);
});
