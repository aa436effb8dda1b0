import { type GroupName, groupNameText, type StoreId, sameGroup } from '@flotilla/base';
import type { Host, Replica } from '@flotilla/host';
import { DataGroup } from '@flotilla/kv';
import { Lane, type PeerLinks, type RareBranches, type Timers } from '@flotilla/ports';
import {
  AskKind,
  decodeMoveAsk,
  encodeMoveReply,
  FrameKind,
  type MoveQuestion,
  type MoveReply,
  Verdict,
} from '@flotilla/wire';
import type { Throttle } from './throttle.ts';

/** Copies that are read here at a time; who comes later asks another replica, or again. */
const WAITING_MAX = 16;
const BUSY_RETRY_MS = 20;

const NO_REPLICA: MoveReply = { verdict: Verdict.noReplica };

interface Waiting {
  readonly group: GroupName;
  readonly question: MoveQuestion;
  readonly answer: (reply: MoveReply) => void;
}

export interface SourceDeskOptions {
  readonly host: Host;
  readonly links: PeerLinks;
  readonly timers: Timers;
  readonly throttle: Throttle;
  readonly rare?: RareBranches | undefined;
}

/**
 * Reads pages and changes for those who copy a shard, from any replica of its group that lies here, leading or
 * not. One question is read per turn of the event loop, so that clients never wait for more than one page.
 */
export class SourceDesk {
  readonly #options: SourceDeskOptions;
  /** One question per copy, first come first served; a newer question of the same copy takes its place. */
  readonly #waiting = new Map<string, Waiting>();
  #isPlanned = false;

  constructor(options: SourceDeskOptions) {
    this.#options = options;
  }

  onFrame(from: StoreId, body: Uint8Array): void {
    const ask = decodeMoveAsk(body);
    this.take(ask.group, ask.question, (reply) => {
      const frame = encodeMoveReply(ask.id, reply);
      this.#options.links.send(from, Lane.bulk, FrameKind.moveReply, frame, 'normal');
    });
  }

  take(group: GroupName, question: MoveQuestion, answer: (reply: MoveReply) => void): void {
    if (question.kind === AskKind.throttle) {
      answer(this.#slowDown(group, question, question.bytesPerSecond));
      return;
    }
    const name = `${groupNameText(group)} ${question.moveId} ${question.shard}`;
    const former = this.#waiting.get(name);
    const isFull = this.#waiting.size >= WAITING_MAX || this.#options.rare?.take('desk-busy') === true;
    if (former === undefined && isFull) {
      answer({ verdict: Verdict.busy, retryAfterMs: BUSY_RETRY_MS });
      return;
    }
    this.#waiting.set(name, { group, question, answer });
    former?.answer({ verdict: Verdict.busy, retryAfterMs: BUSY_RETRY_MS });
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned || this.#waiting.size === 0) return;
    this.#isPlanned = true;
    this.#options.timers.soon(() => {
      this.#isPlanned = false;
      this.#readOne();
      this.#plan();
    });
  }

  #readOne(): void {
    for (const [name, { group, question, answer }] of this.#waiting) {
      this.#waiting.delete(name);
      answer(this.#read(group, question));
      return;
    }
  }

  #read(group: GroupName, question: MoveQuestion): MoveReply {
    const replica = this.#replica(group);
    const machine = replica?.machine;
    if (replica === undefined || !(machine instanceof DataGroup)) return NO_REPLICA;
    let reply = NO_REPLICA;
    this.#options.host.attempt(replica, () => {
      reply = machine.answer(question);
    });
    return reply;
  }

  #slowDown(group: GroupName, question: MoveQuestion, bytesPerSecond: number): MoveReply {
    // Only the leader takes writes.
    if (this.#replica(group)?.isLeader === false) return { verdict: Verdict.notSource };
    // A request that comes late, for a move that is over, slows nobody down.
    const reply = this.#read(group, question);
    if (reply.verdict !== Verdict.noted) return reply;
    const isNoted = this.#options.throttle.request(group.gid, question.shard, bytesPerSecond);
    return isNoted ? reply : { verdict: Verdict.busy, retryAfterMs: BUSY_RETRY_MS };
  }

  #replica(group: GroupName): Replica | undefined {
    const replica = this.#options.host.replica(group.gid);
    const isSound = replica?.broken === undefined && replica !== undefined;
    return isSound && sameGroup(replica.group, group) ? replica : undefined;
  }
}
