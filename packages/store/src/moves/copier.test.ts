import { EMPTY_BYTES, type StoreId, Xxh64 } from '@flotilla/base';
import type { LogSink, Meter, PeerLinks } from '@flotilla/ports';
import {
  AskKind,
  type FrozenFacts,
  type GroupRecord,
  MoveAnswer,
  type MoveEntry,
  type MoveQuestion,
  type MoveReply,
  MoveStep,
  type MoveStepReply,
  StepFate,
  sealDelta,
  sealPage,
  Verdict,
} from '@flotilla/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Copier } from './copier.ts';
import type { MoveCalls } from './move-calls.ts';
import { MoveFacts } from './move-facts.ts';
import { MoveLog } from './move-log.ts';
import { MoveMetrics } from './move-metrics.ts';
import type { MoveOrder } from './move-order.ts';
import { moveTuning } from './move-tuning.ts';
import type { MoveWorld } from './move-world.ts';
import type { Piece, Place } from './pieces.ts';
import { TokenBucket } from './token-bucket.ts';

const MIB = 1_048_576;
const { catchUpBytes, caughtUpBytes } = moveTuning;
const hasher = new Xxh64();
const order: MoveOrder = {
  ...{ moveId: 17, shard: 4, source: 1, target: 2, epoch: 3, isPaused: false, isCancelling: false },
};
const source: GroupRecord = {
  gid: 1,
  incarnation: 1,
  leaving: false,
  replicas: ['s1', 's2'].map((storeId, at) => ({ raftId: at + 1, storeId, storeIncarnation: 'a' })),
};
const start: Place = { cursor: EMPTY_BYTES, isComplete: false, pos: 10 };
const frozen: FrozenFacts = {
  revision: 90,
  time: 1,
  digests: { records: { hi: 0, lo: 0 }, rows: { hi: 0, lo: 0 } },
};

let now: number;
let events: string[];
let asked: { to: StoreId; question: MoveQuestion; answer: (reply: MoveReply | undefined) => void }[];
let steps: MoveEntry[];
let proposed: { piece: Piece; settle: (reply: MoveStepReply) => void }[];
let bucket: TokenBucket;
let facts: MoveFacts;
let copier: Copier;

beforeEach(() => {
  now = 1_000;
  events = [];
  asked = [];
  steps = [];
  proposed = [];
  bucket = new TokenBucket(0, 0);
  const silent = { add() {}, set() {}, observe() {} };
  const meter: Meter = { counter: () => silent, gauge: () => silent, histogram: () => silent };
  const sink: LogSink = { log: (_level, event) => void events.push(event) };
  facts = new MoveFacts(new MoveLog(order, sink, new MoveMetrics(meter), now), now);
  const links = { isUp: () => true } as unknown as PeerLinks;
  const calls = {
    leaderOf: () => 's1',
    ask: (to: StoreId, _group: unknown, question: MoveQuestion, answer: (reply?: MoveReply) => void) =>
      void asked.push({ to, question, answer }),
    step: (_group: unknown, step: MoveEntry) => void steps.push(step),
  } as unknown as MoveCalls;
  copier = new Copier(order, {
    world: { storeId: 's9', links, hasher, now: () => now, tuning: moveTuning } as unknown as MoveWorld,
    ...{ calls, bucket, facts },
    propose: (piece, settle) => void proposed.push({ piece, settle }),
    wake: () => {},
  });
});

function answer(reply: MoveReply | undefined): void {
  asked.pop()?.answer(reply);
}

function page(openBytes = 0, next = 5): MoveReply {
  const head = { moveId: 17, shard: 4, cursor: EMPTY_BYTES, view: 10, next: Uint8Array.of(1, next) };
  const bytes = sealPage({ ...head, isLast: false, items: new Uint8Array(1_000) }, hasher);
  return { verdict: Verdict.page, openBytes, totalBytes: 5_000, page: bytes };
}

function changes(from: number, to: number, openBytes: number, bytes = 1_000): MoveReply {
  const delta = sealDelta({ moveId: 17, shard: 4, from, to, items: new Uint8Array(bytes) }, hasher);
  return { verdict: Verdict.changes, openBytes, frozen: undefined, delta };
}

/** The target applied the oldest piece. */
function apply(): void {
  const next = proposed.shift();
  if (next === undefined) throw new Error('nothing was proposed');
  next.settle({ fate: StepFate.answered, outcome: { answer: MoveAnswer.staged, ...next.piece.after } });
}

describe('a copy', () => {
  test('asks one question at a time, the next one from where the last answer ends', () => {
    copier.copy('page', source, start);
    copier.copy('page', source, start);
    expect(asked).toMatchObject([
      { to: 's2', question: { kind: AskKind.page, cursor: EMPTY_BYTES, minView: 10 } },
    ]);
    answer(page());
    copier.copy('page', source, start);
    expect(asked).toMatchObject([{ question: { cursor: Uint8Array.of(1, 5) } }]);
    expect(proposed.length).toBe(1);
  });

  test('takes changes between pages above eight megabytes, until one is left', () => {
    copier.copy('page', source, start);
    answer(page(catchUpBytes));
    expect(copier.isCatchingUp).toBe(false);
    apply();
    copier.copy('page', source, start);
    answer(page(catchUpBytes + 1));
    expect(copier.isCatchingUp).toBe(true);
    apply();
    copier.copy('changes', source, start);
    answer(changes(10, 20, caughtUpBytes + 1));
    expect(copier.isCatchingUp).toBe(true);
    copier.copy('changes', source, start);
    expect(asked).toMatchObject([{ question: { kind: AskKind.changes, from: 20 } }]);
    answer(changes(20, 30, caughtUpBytes));
    expect(copier.isCatchingUp).toBe(false);
  });

  test('lets the source forget what is applied here, eight megabytes at a time', () => {
    let place = start;
    for (let round = 1; round <= 8; round++) {
      copier.copy('changes', source, place);
      answer(changes(place.pos, place.pos + 1, 9 * MIB, MIB));
      place = { ...place, pos: place.pos + 1 };
      expect(steps).toEqual([]);
      apply();
    }
    expect(steps).toEqual([{ step: MoveStep.trimExport, moveId: 17, shard: 4, to: 18 }]);
  });

  test('waits for its rate, unless the source may be frozen', () => {
    bucket.setRate(100, now);
    copier.copy('page', source, start);
    answer(page());
    apply();
    copier.copy('page', source, start);
    expect(asked).toEqual([]);
    facts.freezeSentAtMs = now;
    copier.copy('page', source, start);
    expect(asked.length).toBe(1);
  });

  test('that its rate holds up for a second looks whether a leader before this one froze the source', () => {
    bucket.setRate(100, now);
    copier.copy('page', source, start);
    answer(page());
    apply();
    const complete = { ...start, isComplete: true };
    now += 999;
    copier.copy('changes', source, complete);
    expect(asked).toEqual([]);
    now += 1;
    copier.copy('changes', source, complete);
    answer({ ...changes(10, 20, 0), frozen } as MoveReply);
    expect(facts.frozen).toEqual(frozen);
    expect(proposed).toEqual([]);
    copier.copy('changes', source, complete);
    expect(asked).toMatchObject([{ question: { kind: AskKind.changes, from: 10 } }]);
  });

  test.each<[string, MoveReply | undefined, number]>([
    ['does not answer', undefined, 1_000],
    ['holds no replica', { verdict: Verdict.noReplica }, 1_000],
    ['has not heard of the export', { verdict: Verdict.notSource }, 20],
    ['is behind', { verdict: Verdict.behind, revision: 3 }, 20],
    ['is busy', { verdict: Verdict.busy, retryAfterMs: 70 }, 70],
    ['sends damage', { ...page(), page: new Uint8Array(50) } as MoveReply, 20],
  ])(
    'asks the leader of the source when another replica %s, and that one again later',
    (_what, reply, ms) => {
      copier.copy('page', source, start);
      answer(reply);
      copier.copy('page', source, start);
      expect(asked).toMatchObject([{ to: 's1' }]);
      answer(page());
      apply();
      now += ms - 1;
      copier.copy('page', source, start);
      expect(asked.pop()?.to).toBe('s1');
      expect(facts.isSourceUnsure).toBe(false);
    },
  );

  test('that even the leader cannot answer for makes sure of the export', () => {
    for (let turn = 0; turn < 2; turn++) {
      copier.copy('page', source, start);
      answer({ verdict: Verdict.notSource });
    }
    expect(facts.isSourceUnsure).toBe(true);
    copier.copy('page', source, start);
    expect(asked).toEqual([]);
    expect(facts.log.problem).toMatch(/no replica of group 1/);
  });

  test('does not take a piece twice that the target found fault with', () => {
    copier.copy('page', source, start);
    answer(page());
    // The same place as before: an item of it did not fit its hash.
    proposed.shift()?.settle({ fate: StepFate.answered, outcome: { answer: MoveAnswer.staged, ...start } });
    now += 900;
    copier.copy('page', source, start);
    expect(asked).toMatchObject([{ to: 's1', question: { cursor: EMPTY_BYTES } }]);
  });

  test('pauses as long as an overloaded leader asks for', () => {
    copier.copy('page', source, start);
    answer(page());
    proposed.shift()?.settle({ fate: StepFate.overloaded, retryAfterMs: 80 });
    now += 79;
    copier.copy('page', source, start);
    expect(asked).toEqual([]);
    now += 1;
    copier.copy('page', source, start);
    expect(asked.length).toBe(1);
  });

  test('hears from changes that the source is frozen, and turns from a replica that has not heard all', () => {
    const last: Place = { ...start, isComplete: true };
    copier.copy('changes', source, last);
    answer({ verdict: Verdict.changes, openBytes: 0, frozen, delta: EMPTY_BYTES });
    expect(facts.frozen).toEqual(frozen);
    expect(events).toContain('move-frozen');
    copier.copy('changes', source, last);
    expect(asked).toMatchObject([{ to: 's1' }]);
  });

  test('asks for nothing more once the last changes of a frozen source are on their way', () => {
    const last: Place = { ...start, isComplete: true };
    facts.sourceFroze(frozen, now);
    copier.copy('changes', source, last);
    answer({ ...changes(10, 90, 0), frozen } as MoveReply);
    copier.copy('changes', source, last);
    expect(asked).toEqual([]);
    expect(proposed.length).toBe(1);
    // They were lost with the leadership of somebody: now they are asked for again.
    proposed.shift()?.settle({ fate: StepFate.unknown });
    copier.copy('changes', source, last);
    expect(asked).toMatchObject([{ question: { kind: AskKind.changes, from: 10 } }]);
  });

  test('that is held back looks once a second whether the source is frozen, and takes nothing', () => {
    copier.look(source, start);
    answer({ ...changes(10, 20, 0), frozen } as MoveReply);
    expect(facts.frozen).toEqual(frozen);
    expect(proposed).toEqual([]);
    now += 999;
    copier.look(source, start);
    expect(asked).toEqual([]);
    now += 1;
    copier.look(source, start);
    expect(asked.length).toBe(1);
  });

  test('that is held back looks at one replica after the other, since any of them may be cut off', () => {
    const looked = [0, 1, 2, 3].map(() => {
      copier.look(source, start);
      const to = asked[0]?.to;
      answer(changes(10, 20, 0));
      now += 1_000;
      return to;
    });
    expect(looked).toEqual(['s2', 's1', 's2', 's1']);
  });

  test('that is stopped takes no answer any more', () => {
    copier.copy('page', source, start);
    copier.stop();
    answer(page());
    expect(proposed).toEqual([]);
  });
});
