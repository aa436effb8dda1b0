import { EMPTY_BYTES, type Message, MessageKind, Writer } from '@flotilla/base';
import { type BeatAck, writeBeats } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { BeatHandler, plainMessage } from './beats.ts';
import { Departures } from './departures.ts';
import { Rounds } from './lease.ts';
import type { Outbox } from './outbox.ts';
import type { Replica } from './replica.ts';
import type { SnapshotSender } from './snapshot-sender.ts';

const group = { gid: 1, incarnation: 1 };

/** Replica 1, which follows 2 in term 5. */
function follower() {
  const commits: number[] = [];
  const replica = {
    group,
    raftId: 1,
    echo: { to: 0, term: 0, round: 0 },
    isFromLeader: ({ from, term }: Message) => from === 2 && term === 5,
    noteLeaderCommit: (index: number) => commits.push(index),
    storeOf: () => 's2',
  };
  const asReplica = replica as unknown as Replica;
  const beats = new BeatHandler({
    find: () => asReplica,
    step: () => {},
    rounds: new Rounds(),
    now: () => 0,
  });
  const acks: BeatAck[] = [];
  const outbox = { addAck: (_store: string, ack: BeatAck) => acks.push(ack) } as unknown as Outbox;
  const departures = new Departures(outbox, {} as SnapshotSender, 0, () => 0);
  return {
    commits,
    hear: (from: number, term: number, round: number): void => {
      const out = new Writer(128);
      writeBeats(out, round, [
        { group, from, to: 1, term, commit: 0, leaderCommit: 7, context: EMPTY_BYTES },
      ]);
      beats.onBeats('s2', out.finish());
    },
    /** The round that the answer to a heartbeat names. */
    answer: (to: number, term: number): number | undefined => {
      departures.send(asReplica, plainMessage(MessageKind.heartbeatResp, 1, to, term));
      return acks.pop()?.round;
    },
  };
}

describe('the answer to a beat', () => {
  test('names its round to the leader and in the term that it came from, and to nobody else', () => {
    const { hear, answer } = follower();
    hear(2, 5, 9);
    expect(answer(2, 5)).toBe(9);
    expect(answer(3, 5)).toBe(0);
    expect(answer(2, 4)).toBe(0);
  });

  test('does not name the round of somebody who leads no more, and loses none to it', () => {
    const { hear, answer, commits } = follower();
    hear(3, 4, 8);
    expect(answer(3, 4)).toBe(0);
    hear(2, 5, 9);
    hear(3, 4, 10);
    expect(answer(2, 5)).toBe(9);
    // Nor does its commit index say how new the state here is.
    expect(commits).toEqual([7]);
  });
});
