import { Reader, Writer } from '@flotilla/base';
import type { Proposal, Refusal } from '@flotilla/host';
import { moveEntry } from '@flotilla/kv';
import { type MoveEntry, type MoveStepReply, readMoveOutcome, StepFate, stampEntry } from '@flotilla/wire';

export interface StepProposalParts {
  readonly step: MoveEntry;
  readonly stamp: () => number;
  /** Goes on while the disk is nearly full: everything but what brings data in. */
  readonly spares: boolean;
  /** Called once. Whoever leads instead is not known here. */
  readonly done: (reply: MoveStepReply) => void;
}

/** One step of a move on its way through the log of a group. */
export class StepProposal implements Proposal {
  readonly data: Uint8Array;
  readonly #parts: StepProposalParts;
  readonly #out = new Writer(64);

  constructor(parts: StepProposalParts) {
    this.#parts = parts;
    this.data = moveEntry(parts.step, 0);
  }

  spares(): boolean {
    return this.#parts.spares;
  }

  prepare(): void {
    stampEntry(this.data, this.#parts.stamp());
  }

  out(): Writer {
    return this.#out;
  }

  applied(): void {
    this.#parts.done({ fate: StepFate.answered, outcome: readMoveOutcome(new Reader(this.#out.take())) });
  }

  refused(refusal: Refusal): void {
    this.#parts.done(
      refusal.kind === 'overloaded'
        ? { fate: StepFate.overloaded, retryAfterMs: refusal.retryAfterMs }
        : { fate: StepFate.notLeader, leader: '' },
    );
  }

  lost(): void {
    this.#parts.done({ fate: StepFate.unknown });
  }
}
