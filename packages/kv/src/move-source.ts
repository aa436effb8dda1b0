import { EMPTY_BYTES } from '@flotilla/base';
import {
  AskKind,
  type BeginExport,
  type Cancel,
  type Forget,
  type Freeze,
  type FrozenFacts,
  MoveAnswer,
  type MoveOutcome,
  type MoveQuestion,
  type MoveReply,
  type TrimExport,
  Verdict,
} from '@flotilla/wire';
import type { ChangeIndex } from './change-index.ts';
import type { CopyReader } from './copy-reader.ts';
import { type OpenExport, type Shard, ShardState } from './shard.ts';

/**
 * The steps of a move in the group that gives the shard away. Until `Freeze` is applied the shard is served as
 * if nothing happened; with it the group never answers for the shard again, and only keeps the copy until the
 * target has taken it. `Freeze` or `Cancel`, whichever is applied first, closes the move here.
 *
 * Steps come late, twice and in any order. What does not fit changes nothing.
 */
export class MoveSource {
  readonly #index: ChangeIndex;
  readonly #reader: CopyReader;

  constructor(index: ChangeIndex, reader: CopyReader) {
    this.#index = index;
    this.#reader = reader;
  }

  beginExport(shard: Shard, step: BeginExport, index: number): MoveOutcome {
    const { moveId } = step;
    const open = exportOf(shard, moveId);
    if (open !== undefined) {
      return shard.state === ShardState.frozen
        ? frozen(shard, open, EMPTY_BYTES)
        : { answer: MoveAnswer.opened, r0: open.r0 };
    }
    const isNewer = shard.openExport === undefined || shard.openExport.moveId < moveId;
    if (!isGivenBy(shard, moveId, step.epoch) || !isNewer) return notGiven(shard, moveId);
    shard.beginExport(moveId, index);
    return { answer: MoveAnswer.opened, r0: shard.revision };
  }

  trimExport(shard: Shard, step: TrimExport): MoveOutcome {
    const open = exportOf(shard, step.moveId);
    if (shard.state !== ShardState.serving || open === undefined) return notGiven(shard, step.moveId);
    if (open.r0 < step.to && step.to <= shard.revision) {
      this.#index.trim(open, step.to);
      shard.dirty = true;
    }
    return { answer: MoveAnswer.trimmed, r0: open.r0 };
  }

  /** `time`: the shard's, as of this entry. `isAsked`: somebody waits for the last changes. */
  freeze(shard: Shard, step: Freeze, time: number, isAsked: boolean): MoveOutcome {
    const { moveId, pos } = step;
    const open = exportOf(shard, moveId);
    if (open === undefined) return notGiven(shard, moveId);
    if (shard.state === ShardState.serving) {
      if (!isGivenBy(shard, moveId, step.epoch)) return notGiven(shard, moveId);
      const exact = this.#index.exactOpenBytes(open, pos);
      if (exact === undefined || pos < open.r0 || pos > shard.revision) {
        const openBytes = exact ?? this.#index.talliedBytes(open, pos);
        return { answer: MoveAnswer.notYet, openBytes, r0: open.r0 };
      }
      shard.freeze(moveId, step.target, time);
    }
    const isInside = open.r0 <= pos && pos <= shard.revision;
    const delta = isAsked && isInside ? this.#reader.lastChanges(shard, open, pos).delta : EMPTY_BYTES;
    return frozen(shard, open, delta);
  }

  cancel(shard: Shard, step: Cancel): MoveOutcome {
    const { moveId } = step;
    if (shard.state === ShardState.serving) {
      // Below the fence only an earlier cancel can have closed it.
      if (moveId > shard.fence) shard.raiseFence(moveId);
      return { answer: MoveAnswer.cancelled };
    }
    const isFrozen = shard.state === ShardState.frozen && shard.moveId === moveId;
    return { answer: isFrozen ? MoveAnswer.tooLate : MoveAnswer.stale };
  }

  /** Names the move that froze the copy: a late one must not take what a later move brought back. */
  forget(shard: Shard, step: Forget): MoveOutcome {
    if (shard.state === ShardState.frozen && shard.moveId === step.moveId) shard.becomeAbsent();
    return { answer: MoveAnswer.done };
  }

  /** Any replica answers, however far it has come, as long as what it says is enough for who asks. */
  answer(shard: Shard | undefined, question: MoveQuestion): MoveReply {
    const open = shard && exportOf(shard, question.moveId);
    if (shard === undefined || open === undefined) return { verdict: Verdict.notSource };
    switch (question.kind) {
      case AskKind.page:
        if (shard.revision < question.minView) return { verdict: Verdict.behind, revision: shard.revision };
        return {
          verdict: Verdict.page,
          openBytes: this.#index.talliedBytes(open, question.minView),
          totalBytes: shard.recordBytes,
          page: this.#reader.page(shard, question.moveId, question.cursor),
        };
      case AskKind.changes: {
        if (question.from < open.r0) return { verdict: Verdict.gone, r0: open.r0 };
        if (shard.revision < question.from) return { verdict: Verdict.behind, revision: shard.revision };
        const { to, delta } = this.#reader.changes(shard, open, question.from);
        return {
          verdict: Verdict.changes,
          openBytes: to === shard.revision ? 0 : this.#index.openBytes(open, to),
          frozen: shard.state === ShardState.frozen ? factsOf(shard) : undefined,
          delta,
        };
      }
      case AskKind.throttle:
        return { verdict: shard.state === ShardState.serving ? Verdict.noted : Verdict.notSource };
    }
  }
}

/** The export of this move, open or kept with the frozen copy. */
function exportOf(shard: Shard, moveId: number): OpenExport | undefined {
  return shard.openExport?.moveId === moveId ? shard.openExport : undefined;
}

function isGivenBy(shard: Shard, moveId: number, epoch: number): boolean {
  return shard.state === ShardState.serving && moveId > shard.fence && shard.epoch + 1 === epoch;
}

function notGiven(shard: Shard, moveId: number): MoveOutcome {
  return { answer: moveId <= shard.fence ? MoveAnswer.closed : MoveAnswer.refused };
}

function factsOf(shard: Shard): FrozenFacts {
  return {
    revision: shard.revision,
    time: shard.timeFloor,
    digests: { records: shard.records.value(), rows: shard.rows.value() },
  };
}

function frozen(shard: Shard, open: OpenExport, delta: Uint8Array): MoveOutcome {
  return { answer: MoveAnswer.frozen, r0: open.r0, facts: factsOf(shard), delta };
}
