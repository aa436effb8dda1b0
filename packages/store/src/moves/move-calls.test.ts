import { DecodeError, Prng, type StoreId, VirtualTime } from '@flotilla/base';
import type { Host } from '@flotilla/host';
import type { Lane, PeerLinks } from '@flotilla/ports';
import {
  AskKind,
  decodeMoveAsk,
  decodeMoveStepAsk,
  encodeMoveReply,
  encodeMoveStepReply,
  FrameKind,
  type GroupRecord,
  MoveAnswer,
  type MoveEntry,
  type MoveReply,
  MoveStep,
  type MoveStepReply,
  StepFate,
  Verdict,
} from '@flotilla/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { MoveCalls } from './move-calls.ts';
import { SourceDesk } from './source-desk.ts';
import { StepDesk } from './step-desk.ts';
import { Throttle } from './throttle.ts';

const group: GroupRecord = {
  gid: 7,
  incarnation: 3,
  leaving: false,
  replicas: ['s1', 's2', 's3'].map((storeId, at) => ({ raftId: at + 1, storeId, storeIncarnation: 'a' })),
};
const question = { kind: AskKind.changes, moveId: 17, shard: 4, from: 9 } as const;
const freeze: MoveEntry = { step: MoveStep.freeze, moveId: 17, shard: 4, epoch: 2, pos: 9, target: 8 };
const noted: MoveReply = { verdict: Verdict.noted };
const opened: MoveStepReply = { fate: StepFate.answered, outcome: { answer: MoveAnswer.opened, r0: 5 } };

let time: VirtualTime;
let sent: { to: StoreId; lane: Lane; kind: number; body: Uint8Array }[];
let down: Set<StoreId>;
let calls: MoveCalls;

function callsOf(storeId: StoreId, seed = 1): MoveCalls {
  const links = {
    isUp: (to: StoreId) => !down.has(to),
    send: (to: StoreId, lane: Lane, kind: number, body: Uint8Array) => {
      sent.push({ to, lane, kind, body });
      return !down.has(to);
    },
  } as unknown as PeerLinks;
  const host = { replica: () => undefined } as unknown as Host;
  const timers = time;
  const throttle = new Throttle(() => time.monoMs(), { add: () => {} });
  const sourceDesk = new SourceDesk({ host, links, timers, throttle });
  const stepDesk = new StepDesk({ host, links, stampFor: () => 0 });
  return new MoveCalls({ storeId, host, links, timers, random: new Prng(seed), sourceDesk, stepDesk });
}

beforeEach(() => {
  time = new VirtualTime();
  sent = [];
  down = new Set();
  calls = callsOf('s9');
});

describe('a question about content', () => {
  function ask(storeId = 's2'): (MoveReply | undefined)[] {
    const replies: (MoveReply | undefined)[] = [];
    calls.ask(storeId, group, question, (reply) => replies.push(reply));
    return replies;
  }

  test('goes to the store that was picked, and its answer comes once', () => {
    const replies = ask();
    const { id, question: asked } = decodeMoveAsk(sent[0]?.body as Uint8Array);
    expect(sent).toMatchObject([{ to: 's2', kind: FrameKind.moveAsk }]);
    expect(asked).toEqual(question);
    calls.onReply('s3', encodeMoveReply(id, noted));
    expect(replies).toEqual([]);
    calls.onReply('s2', encodeMoveReply(id, noted));
    calls.onReply('s2', encodeMoveReply(id, noted));
    time.advance(5_000);
    expect(replies).toEqual([noted]);
  });

  test('ends without an answer after a time, when the peer goes down, and when it cannot be sent', () => {
    const late = ask();
    time.advance(1_001);
    expect(late).toEqual([undefined]);
    const cut = ask();
    calls.peerDown('s1');
    expect(cut).toEqual([]);
    calls.peerDown('s2');
    expect(cut).toEqual([undefined]);
    down.add('s2');
    const unsent = ask();
    expect(unsent).toEqual([]);
    time.advance(0);
    expect(unsent).toEqual([undefined]);
  });

  test('to this very store needs no network, and is never answered while it is asked', () => {
    const replies = ask('s9');
    expect(replies).toEqual([]);
    time.advance(0);
    expect(replies).toEqual([{ verdict: Verdict.noReplica }]);
    expect(sent).toEqual([]);
  });

  test('of another life of this store is not mixed up with one of now', () => {
    ask();
    const other = callsOf('s9', 2);
    const replies: (MoveReply | undefined)[] = [];
    other.ask('s2', group, question, (reply) => replies.push(reply));
    const [former, present] = sent.map(({ body }) => decodeMoveAsk(body).id);
    expect(former).not.toBe(present);
    other.onReply('s2', encodeMoveReply(former as number, noted));
    expect(replies).toEqual([]);
  });

  test('beyond the limit is not asked', () => {
    const replies = Array.from({ length: 4_097 }, () => ask());
    time.advance(0);
    expect(replies.map((each) => each.length).filter((length) => length > 0)).toEqual([1]);
    expect(sent.length).toBe(4_096);
  });
});

describe('a step for another group', () => {
  function step(): (MoveStepReply | undefined)[] {
    const replies: (MoveStepReply | undefined)[] = [];
    calls.step(group, freeze, (reply) => replies.push(reply));
    return replies;
  }

  function answer(reply: MoveStepReply): void {
    const last = sent.at(-1);
    if (last === undefined) throw new Error('nothing was sent');
    calls.onStepReply(last.to, encodeMoveStepReply(decodeMoveStepAsk(last.body).id, reply));
  }

  const to = (): readonly StoreId[] => sent.map((frame) => frame.to);

  test('follows the hints to the leader, and remembers it', () => {
    const replies = step();
    answer({ fate: StepFate.notLeader, leader: 's3' });
    answer(opened);
    expect(to()).toEqual(['s1', 's3']);
    expect(replies).toEqual([opened]);
    expect(calls.leaderOf(group)).toBe('s3');
    step();
    expect(to().at(-1)).toBe('s3');
  });

  test('forgets a leader that leads no more, until another one answers', () => {
    step();
    answer(opened);
    expect(calls.leaderOf(group)).toBe('s1');
    const replies = step();
    for (let hop = 0; hop < 5; hop++) answer({ fate: StepFate.notLeader, leader: '' });
    time.advance(0);
    expect(replies).toEqual([undefined]);
    expect(calls.leaderOf(group)).toBeUndefined();
  });

  test('without hints turns through the replicas that are in reach, and ends', () => {
    down.add('s2');
    const replies = step();
    for (let hop = 0; hop < 5; hop++) answer({ fate: StepFate.notLeader, leader: '' });
    time.advance(0);
    expect(replies).toEqual([undefined]);
    expect(new Set(to())).toEqual(new Set(['s1', 's3']));
    expect(to().length).toBe(5);
  });

  test('goes on to the next replica when one does not answer', () => {
    const replies = step();
    time.advance(1_501);
    calls.peerDown('s2');
    answer(opened);
    expect(to()).toEqual(['s1', 's2', 's3']);
    expect(replies).toEqual([opened]);
  });

  test('two replicas that name each other do not hold it for ever', () => {
    const replies = step();
    for (let hop = 0; hop < 5; hop++) {
      answer({ fate: StepFate.notLeader, leader: to().at(-1) === 's1' ? 's2' : 's1' });
    }
    time.advance(0);
    expect(replies).toEqual([undefined]);
  });

  test.each<MoveStepReply>([{ fate: StepFate.unknown }, { fate: StepFate.overloaded, retryAfterMs: 50 }])(
    'that may have been carried out, or comes to an overloaded leader, is the caller’s to repeat: %o',
    (reply) => {
      const replies = step();
      answer(reply);
      expect(replies).toEqual([reply]);
      expect(sent.length).toBe(1);
    },
  );

  test('has nobody to go to', () => {
    for (const storeId of ['s1', 's2', 's3']) down.add(storeId);
    const replies = step();
    expect(replies).toEqual([]);
    time.advance(0);
    expect(replies).toEqual([undefined]);
    expect(sent).toEqual([]);
  });
});

describe('the desk for steps', () => {
  test.each([
    ['forget', { step: MoveStep.forget, moveId: 17, shard: 4 }],
    ['activate empty', { step: MoveStep.activateEmpty, moveId: 17, shard: 4, epoch: 2 }],
    ['import', { step: MoveStep.importChunk, moveId: 17, shard: 4, page: new Uint8Array(3) }],
  ] as const)('does not %s for others', (_what, step) => {
    const desk = new StepDesk({ host: {} as Host, links: {} as PeerLinks, stampFor: () => 0 });
    expect(() => desk.take(group, step, () => {})).toThrow(DecodeError);
  });
});
