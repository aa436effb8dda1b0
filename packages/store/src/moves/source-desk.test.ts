import { VirtualTime } from '@flotilla/base';
import type { Host, Replica } from '@flotilla/host';
import { DataGroup } from '@flotilla/kv';
import type { PeerLinks } from '@flotilla/ports';
import { AskKind, type MoveQuestion, type MoveReply, Verdict } from '@flotilla/wire';
import { beforeEach, expect, test } from 'vitest';
import { SourceDesk } from './source-desk.ts';
import { Throttle } from './throttle.ts';

const group = { gid: 7, incarnation: 3 };
/** The one that has an export here. */
const openMove = 17;

let time: VirtualTime;
let read: MoveQuestion[];
let replica: { group: typeof group; machine: DataGroup; broken: string | undefined; isLeader: boolean };
let desk: SourceDesk;
let throttle: Throttle;

beforeEach(() => {
  time = new VirtualTime();
  read = [];
  throttle = new Throttle(() => time.monoMs(), { add: () => {} });
  const machine = Object.create(DataGroup.prototype) as DataGroup;
  machine.answer = (question) => {
    read.push(question);
    if (question.kind === AskKind.throttle) {
      return { verdict: question.moveId === openMove ? Verdict.noted : Verdict.notSource };
    }
    return { verdict: Verdict.behind, revision: read.length };
  };
  replica = { group, machine, broken: undefined, isLeader: false };
  const host = {
    replica: (gid: number) => (gid === group.gid ? (replica as unknown as Replica) : undefined),
    attempt: (_replica: Replica, work: () => void) => work(),
  } as unknown as Host;
  desk = new SourceDesk({ host, links: {} as PeerLinks, timers: time, throttle });
});

function page(shard: number, pos = 0): MoveQuestion {
  return { kind: AskKind.page, moveId: 17, shard, cursor: new Uint8Array(0), minView: pos };
}

function take(question: MoveQuestion, of = group): MoveReply[] {
  const replies: MoveReply[] = [];
  desk.take(of, question, (reply) => replies.push(reply));
  return replies;
}

test('questions are read in their order, one per turn, whoever leads', () => {
  const replies = [1, 2, 3].map((shard) => take(page(shard)));
  expect(read.length).toBe(0);
  for (let turn = 1; turn <= 3; turn++) {
    time.runNext();
    expect(read.length).toBe(turn);
  }
  expect(replies).toEqual([1, 2, 3].map((revision) => [{ verdict: Verdict.behind, revision }]));
});

test('of one copy the newest question is read, and whoever asked before hears that it was not', () => {
  const older = take(page(1, 5));
  const newer = take(page(1, 9));
  time.advance(1);
  expect(older).toMatchObject([{ verdict: Verdict.busy }]);
  expect(newer).toMatchObject([{ verdict: Verdict.behind }]);
  expect(read).toEqual([page(1, 9)]);
});

test('only so many copies are read at a time, and there is room again afterwards', () => {
  const replies = Array.from({ length: 17 }, (_, shard) => take(page(shard)));
  expect(replies[16]).toMatchObject([{ verdict: Verdict.busy }]);
  time.advance(1);
  expect(read.length).toBe(16);
  const again = take(page(16));
  time.advance(1);
  expect(again).toMatchObject([{ verdict: Verdict.behind }]);
});

test('a group that is not here, was founded anew, or stopped has no replica', () => {
  const none = { verdict: Verdict.noReplica };
  const other = take(page(1), { gid: 8, incarnation: 3 });
  const newer = take(page(2), { gid: 7, incarnation: 4 });
  time.advance(1);
  replica.broken = 'damaged';
  const broken = take(page(3));
  time.advance(1);
  expect([other, newer, broken]).toEqual([[none], [none], [none]]);
});

test('writers are slowed down where they write: at the leader', () => {
  const slow: MoveQuestion = { kind: AskKind.throttle, moveId: 17, shard: 4, bytesPerSecond: 1 };
  expect(take(slow)).toEqual([{ verdict: Verdict.notSource }]);
  expect(throttle.admitsFor(7)).toBeUndefined();
  replica.isLeader = true;
  expect(take(slow)).toEqual([{ verdict: Verdict.noted }]);
  expect(throttle.admitsFor(7)?.(4, 1_000)).toBe(true);
  expect(throttle.admitsFor(7)?.(4, 1_000)).toBe(false);
});

test('a request for slower writers that comes after the end of its move slows nobody down', () => {
  const slow: MoveQuestion = { kind: AskKind.throttle, moveId: openMove - 1, shard: 4, bytesPerSecond: 1 };
  replica.isLeader = true;
  expect(take(slow)).toEqual([{ verdict: Verdict.notSource }]);
  expect(throttle.admitsFor(7)).toBeUndefined();
});
