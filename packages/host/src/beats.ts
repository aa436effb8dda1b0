import {
  EMPTY_BYTES,
  type GroupName,
  type Message,
  MessageKind,
  type RaftId,
  type StoreId,
} from '@flotilla/base';
import { readBeatAcks, readBeats } from '@flotilla/wire';
import type { Rounds } from './lease.ts';
import type { Replica } from './replica.ts';

export function plainMessage(kind: MessageKind, from: RaftId, to: RaftId, term: number): Message {
  return {
    kind,
    from,
    to,
    term,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    entries: [],
    snapshot: undefined,
    context: EMPTY_BYTES,
    responses: [],
  };
}

/**
 * Heartbeats of all groups between two stores travel in one frame, and so do their answers. An answer echoes
 * the round only of groups whose replica took the promise: that is what the leader's lease rests on.
 */
export class BeatHandler {
  readonly #find: (group: GroupName, from: RaftId, storeId: StoreId) => Replica | undefined;
  readonly #step: (replica: Replica, message: Message) => void;
  readonly #rounds: Rounds;
  readonly #now: () => number;

  constructor(options: {
    /** The replica that may hear this sender about this group. */
    readonly find: (group: GroupName, from: RaftId, storeId: StoreId) => Replica | undefined;
    /** Steps the message and takes the promise if it came from the leader of the replica's term. */
    readonly step: (replica: Replica, message: Message) => void;
    readonly rounds: Rounds;
    readonly now: () => number;
  }) {
    this.#find = options.find;
    this.#step = options.step;
    this.#rounds = options.rounds;
    this.#now = options.now;
  }

  onBeats(storeId: StoreId, body: Uint8Array): void {
    const { round, beats } = readBeats(body);
    for (const beat of beats) {
      const replica = this.#find(beat.group, beat.from, storeId);
      if (replica === undefined || beat.to !== replica.raftId) continue;
      const message: Message = {
        ...plainMessage(MessageKind.heartbeat, beat.from, beat.to, beat.term),
        commit: beat.commit,
        context: beat.context,
      };
      this.#step(replica, message);
      // Older rounds of the same leader may still wait for their answer: the newest covers them.
      if (!replica.isFromLeader(message)) continue;
      replica.echo = { to: beat.from, term: beat.term, round };
      if (beat.leaderCommit > 0) replica.noteLeaderCommit(beat.leaderCommit, this.#now());
    }
  }

  onAcks(storeId: StoreId, body: Uint8Array): void {
    for (const ack of readBeatAcks(body)) {
      const replica = this.#find(ack.group, ack.from, storeId);
      if (replica === undefined || ack.to !== replica.raftId) continue;
      const stamp = this.#rounds.stampOf(ack.round);
      if (stamp !== undefined && replica.isLeader && ack.term === replica.raft.term) {
        replica.lease.answered(ack.from, ack.term, stamp);
      }
      this.#step(replica, {
        ...plainMessage(MessageKind.heartbeatResp, ack.from, ack.to, ack.term),
        context: ack.context,
      });
    }
  }
}
