import type { GroupName, StoreId } from '@flotilla/base';
import type { Host } from '@flotilla/host';
import { Lane, type PeerLinks, type Random, type Timers } from '@flotilla/ports';
import {
  decodeMoveReply,
  decodeMoveStepReply,
  encodeMoveAsk,
  encodeMoveStepAsk,
  FrameKind,
  type GroupRecord,
  limits,
  type MoveEntry,
  type MoveQuestion,
  type MoveReply,
  type MoveStepReply,
  StepFate,
} from '@flotilla/wire';
import { PendingCalls } from './pending-calls.ts';
import type { SourceDesk } from './source-desk.ts';
import type { StepDesk } from './step-desk.ts';

/** A page is read and sent in a few ms; a step is a commit. Beyond this somebody else is asked. */
const ASK_MS = 1_000;
const STEP_MS = 1_500;
/** Hops beyond one for each replica: a hint may be a little out of date. */
const EXTRA_HOPS = 2;

export interface MoveCallsOptions {
  readonly storeId: StoreId;
  readonly host: Host;
  readonly links: PeerLinks;
  readonly timers: Timers;
  readonly random: Random;
  readonly sourceDesk: SourceDesk;
  readonly stepDesk: StepDesk;
}

/** Undefined: no answer came, or nobody was found to give one. It may have been carried out. */
export type StepDone = (reply: MoveStepReply | undefined) => void;

interface StepCall {
  readonly group: GroupRecord;
  readonly step: MoveEntry;
  readonly done: StepDone;
  hopsLeft: number;
  /** Turns through the replicas while nobody is known to lead. */
  turn: number;
}

/**
 * Asks the stores of other groups. A question about content goes to the store that the caller picked; a step
 * goes to whoever leads the group. What lies on this very store is asked without the network, and answers
 * never come while the caller is still asking.
 */
export class MoveCalls {
  readonly #options: MoveCallsOptions;
  readonly #asks: PendingCalls<MoveReply>;
  readonly #steps: PendingCalls<MoveStepReply>;
  /** Who led a group when it last said so, by gid. A hint: whoever is asked corrects it. */
  readonly #leaders = new Map<number, StoreId>();

  constructor(options: MoveCallsOptions) {
    this.#options = options;
    this.#asks = new PendingCalls(options.timers, options.random.fork('questions'));
    this.#steps = new PendingCalls(options.timers, options.random.fork('steps'));
  }

  /** Undefined as a reply: no answer came. */
  ask(
    storeId: StoreId,
    group: GroupName,
    question: MoveQuestion,
    done: (reply: MoveReply | undefined) => void,
  ): void {
    const { storeId: own, links, timers, sourceDesk } = this.#options;
    if (storeId === own) {
      timers.soon(() => sourceDesk.take(group, question, done));
      return;
    }
    const send = (id: number): boolean => {
      const frame = encodeMoveAsk({ id, group, question });
      return links.send(storeId, Lane.bulk, FrameKind.moveAsk, frame, 'normal');
    };
    this.#asks.open(storeId, ASK_MS, send, done);
  }

  /** Hands a step to the leader of the group, whom it finds. */
  step(group: GroupRecord, step: MoveEntry, done: StepDone): void {
    const turn = Math.max(
      0,
      group.replicas.findIndex((place) => place.storeId === this.leaderOf(group)),
    );
    this.#hop({ group, step, done, hopsLeft: group.replicas.length + EXTRA_HOPS, turn });
  }

  /** The store that leads the group, as far as known here. */
  leaderOf(group: GroupName): StoreId | undefined {
    const replica = this.#options.host.replica(group.gid);
    const own = replica?.group.incarnation === group.incarnation ? replica.leaderStore() : undefined;
    return own ?? this.#leaders.get(group.gid);
  }

  onReply(from: StoreId, body: Uint8Array): void {
    const { id, reply } = decodeMoveReply(body);
    this.#asks.settle(from, id, reply);
  }

  onStepReply(from: StoreId, body: Uint8Array): void {
    const { id, reply } = decodeMoveStepReply(body);
    this.#steps.settle(from, id, reply);
  }

  peerDown(storeId: StoreId): void {
    this.#asks.peerDown(storeId);
    this.#steps.peerDown(storeId);
  }

  #hop(call: StepCall): void {
    const { storeId: own, timers, stepDesk } = this.#options;
    const storeId = this.#nextStore(call);
    if (storeId === undefined) {
      timers.soon(() => call.done(undefined));
      return;
    }
    call.hopsLeft--;
    const settled = (reply: MoveStepReply | undefined): void => this.#hopped(call, storeId, reply);
    if (storeId === own) {
      timers.soon(() => stepDesk.take(call.group, call.step, settled));
      return;
    }
    const send = (id: number): boolean => {
      const { gid, incarnation } = call.group;
      const frame = encodeMoveStepAsk({ id, group: { gid, incarnation }, step: call.step });
      return this.#options.links.send(storeId, Lane.consensus, FrameKind.moveStep, frame, 'normal');
    };
    this.#steps.open(storeId, STEP_MS, send, settled);
  }

  /** The next store in turn that is in reach. */
  #nextStore(call: StepCall): StoreId | undefined {
    const { replicas } = call.group;
    const { storeId: own, links } = this.#options;
    if (call.hopsLeft <= 0) return undefined;
    for (let tried = 0; tried < replicas.length; tried++) {
      const place = replicas[call.turn % replicas.length];
      call.turn++;
      if (place !== undefined && (place.storeId === own || links.isUp(place.storeId))) return place.storeId;
    }
    return undefined;
  }

  #hopped(call: StepCall, storeId: StoreId, reply: MoveStepReply | undefined): void {
    if (reply === undefined || reply.fate === StepFate.notLeader) {
      const hint = reply?.leader ?? '';
      const at = call.group.replicas.findIndex((place) => place.storeId === hint);
      if (at >= 0 && hint !== storeId) call.turn = at;
      if (this.#leaders.get(call.group.gid) === storeId) this.#leaders.delete(call.group.gid);
      this.#hop(call);
      return;
    }
    // As many as there may be groups: none of them is worth more than another.
    if (this.#leaders.size >= limits.groupsMax) this.#leaders.clear();
    this.#leaders.set(call.group.gid, storeId);
    call.done(reply);
  }
}
