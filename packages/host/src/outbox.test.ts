import { EMPTY_BYTES, EntryKind, type Message, MessageKind, Reader } from '@flotilla/base';
import type { PeerLinks } from '@flotilla/ports';
import { FrameKind, limits, readBeatAcks, readBeats, readRaftMessage } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { plainMessage } from './beats.ts';
import { Rounds } from './lease.ts';
import { Outbox } from './outbox.ts';

const GROUP = { gid: 1, incarnation: 1 };

function bench() {
  const frames: { to: string; kind: number; body: Uint8Array; urgency: string; at: number }[] = [];
  const rounds = new Rounds();
  const clock = { now: 0, readings: 0 };
  const links = {
    send: (to: string, _lane: number, kind: number, body: Uint8Array, urgency: string) => {
      frames.push({ to, kind, body: body.slice(), urgency, at: clock.now });
      return true;
    },
  } as unknown as PeerLinks;
  const outbox = new Outbox(links, rounds, () => {
    clock.readings++;
    return clock.now++;
  });
  return { outbox, frames, rounds, clock };
}

const beat = (gid: number) => ({
  group: { gid, incarnation: 1 },
  from: 1,
  to: 2,
  term: 3,
  commit: 4,
  leaderCommit: 5,
  context: EMPTY_BYTES,
});

function messagesIn(body: Uint8Array): Message[] {
  const from = new Reader(body);
  const found: Message[] = [];
  while (from.remaining > 0) found.push(readRaftMessage(from).message);
  return found;
}

test('a turn sends one frame of each kind to each store, and nothing when there is nothing', () => {
  const { outbox, frames } = bench();
  outbox.flush();
  for (const to of ['s2', 's3']) {
    outbox.addBeat(to, beat(1));
    outbox.addBeat(to, beat(2));
    outbox.addAck(to, { group: GROUP, from: 1, to: 2, term: 3, round: 9, context: EMPTY_BYTES });
    outbox.add(to, GROUP, plainMessage(MessageKind.app, 1, 2, 3));
    outbox.add(to, GROUP, plainMessage(MessageKind.appResp, 1, 2, 3));
    outbox.add(to, GROUP, plainMessage(MessageKind.voteResp, 1, 2, 3));
  }
  outbox.flush();
  expect(frames.map(({ to, kind, urgency }) => `${to} ${kind} ${urgency}`)).toEqual(
    ['s2', 's3'].flatMap((to) => [
      `${to} ${FrameKind.beat} urgent`,
      `${to} ${FrameKind.beatAck} urgent`,
      `${to} ${FrameKind.raft} urgent`,
      `${to} ${FrameKind.raft} normal`,
    ]),
  );
  outbox.flush();
  expect(frames).toHaveLength(8);
});

test('one round serves all stores, and its clock is read before any of its frames leaves', () => {
  const { outbox, frames, rounds, clock } = bench();
  for (const to of ['s2', 's3', 's4']) outbox.addBeat(to, beat(1));
  outbox.flush();
  expect(clock.readings).toBe(1);
  const numbers = new Set(frames.map(({ body }) => readBeats(body).round));
  expect(numbers.size).toBe(1);
  const stamp = rounds.stampOf([...numbers][0] as number) as number;
  for (const frame of frames) expect(stamp).toBeLessThan(frame.at);
  // A turn without beats opens none: rounds are few and must last for the answers of slow stores.
  outbox.add('s2', GROUP, plainMessage(MessageKind.app, 1, 2, 3));
  outbox.flush();
  expect(clock.readings).toBe(1);
});

test('more beats or answers than a frame may name take several frames of the same round', () => {
  const { outbox, frames } = bench();
  const count = limits.groupsMax + 10;
  for (let gid = 1; gid <= count; gid++) {
    outbox.addBeat('s2', beat(gid));
    outbox.addAck('s2', { group: GROUP, from: 1, to: 2, term: 3, round: 9, context: EMPTY_BYTES });
  }
  outbox.flush();
  const beats = frames.filter(({ kind }) => kind === FrameKind.beat).map(({ body }) => readBeats(body));
  expect(beats.flatMap((each) => each.beats.map(({ group }) => group.gid))).toHaveLength(count);
  expect(new Set(beats.map(({ round }) => round)).size).toBe(1);
  const acks = frames
    .filter(({ kind }) => kind === FrameKind.beatAck)
    .flatMap(({ body }) => readBeatAcks(body));
  expect(acks).toHaveLength(count);
});

test('no frame passes the limit, and the order of messages is kept over frames', () => {
  const { outbox, frames } = bench();
  const data = new Uint8Array(limits.batchBytes);
  for (let index = 1; index <= 5; index++) {
    const entries = [{ index, term: 1, kind: EntryKind.normal, data }];
    outbox.add('s2', GROUP, { ...plainMessage(MessageKind.app, 1, 2, 3), entries });
  }
  outbox.flush();
  expect(frames.length).toBeGreaterThan(1);
  for (const { body } of frames) expect(body.length).toBeLessThanOrEqual(limits.peerFrameBytes);
  expect(frames.flatMap(({ body }) => messagesIn(body).map(({ entries }) => entries[0]?.index))).toEqual([
    1, 2, 3, 4, 5,
  ]);
});

test('what gathered for a store whose connection dropped is dropped with it', () => {
  const { outbox, frames } = bench();
  outbox.addBeat('s2', beat(1));
  outbox.drop('s2');
  outbox.flush();
  expect(frames).toEqual([]);
});
