import { DecodeError, type GroupName, type StoreId, sameGroup } from '@flotilla/base';
import type { Host, Replica } from '@flotilla/host';
import { DataGroup } from '@flotilla/kv';
import { Lane, type PeerLinks, type RareBranches } from '@flotilla/ports';
import {
  decodeMoveStepAsk,
  encodeMoveStepReply,
  FrameKind,
  type MoveEntry,
  MoveStep,
  type MoveStepReply,
  StepFate,
} from '@flotilla/wire';
import { StepProposal } from './step-proposal.ts';

/** Proposed for others and not settled. A driver has one step under way per move. */
const OPEN_MAX = 1_024;
const RETRY_MS = 50;

/** What may be asked for from outside of a group; everything else its own leader decides. */
const takenSteps: ReadonlySet<MoveStep> = new Set([
  MoveStep.beginExport,
  MoveStep.trimExport,
  MoveStep.freeze,
  MoveStep.cancel,
  MoveStep.abort,
]);

export interface StepDeskOptions {
  readonly host: Host;
  readonly links: PeerLinks;
  readonly stampFor: (replica: Replica) => number;
  readonly rare?: RareBranches | undefined;
}

/** Takes steps that the driver of another group, or the controller's leader, wants in the log of a group here. */
export class StepDesk {
  readonly #options: StepDeskOptions;
  #open = 0;

  constructor(options: StepDeskOptions) {
    this.#options = options;
  }

  onFrame(from: StoreId, body: Uint8Array): void {
    const ask = decodeMoveStepAsk(body);
    this.take(ask.group, ask.step, (reply) => {
      const frame = encodeMoveStepReply(ask.id, reply);
      this.#options.links.send(from, Lane.consensus, FrameKind.moveStepReply, frame, 'normal');
    });
  }

  take(group: GroupName, step: MoveEntry, answer: (reply: MoveStepReply) => void): void {
    if (!takenSteps.has(step.step)) {
      throw new DecodeError(`a store may not ask another for move step ${step.step}`, { step: step.step });
    }
    const { host, stampFor } = this.#options;
    const replica = host.replica(group.gid);
    const isHere = replica !== undefined && sameGroup(replica.group, group);
    if (!isHere || replica.broken !== undefined || !(replica.machine instanceof DataGroup)) {
      answer({ fate: StepFate.notLeader, leader: '' });
    } else if (!replica.isLeader) {
      answer({ fate: StepFate.notLeader, leader: replica.leaderStore() ?? '' });
    } else if (this.#open >= OPEN_MAX || this.#options.rare?.take('step-refused') === true) {
      answer({ fate: StepFate.overloaded, retryAfterMs: RETRY_MS });
    } else {
      this.#open++;
      const done = (reply: MoveStepReply): void => {
        this.#open--;
        answer(reply);
      };
      // Each of these lets data go, or decides where it is: a full disk must not hold it up.
      host.propose(replica, new StepProposal({ step, stamp: () => stampFor(replica), spares: true, done }));
    }
  }
}
