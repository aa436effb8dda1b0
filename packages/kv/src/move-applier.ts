import {
  MoveAnswer,
  type MoveEntry,
  type MoveOutcome,
  type MoveQuestion,
  type MoveReply,
  MoveStep,
} from '@flotilla/wire';
import type { MoveSource } from './move-source.ts';
import type { MoveTarget } from './move-target.ts';
import type { Purge } from './purge.ts';
import type { SessionTable } from './session-table.ts';
import type { Shard } from './shard.ts';
import type { ShardTable } from './shard-table.ts';

/**
 * Applies steps of moves. What a step leaves unnamed, a copy or a change index, is handed to the purge here and
 * nowhere else: it is whatever the shard named before and does not name any more.
 */
export class MoveApplier {
  readonly #shards: ShardTable;
  readonly #sessions: SessionTable;
  readonly #purge: Purge;
  readonly #source: MoveSource;
  readonly #target: MoveTarget;

  constructor(
    shards: ShardTable,
    sessions: SessionTable,
    purge: Purge,
    source: MoveSource,
    target: MoveTarget,
  ) {
    this.#shards = shards;
    this.#sessions = sessions;
    this.#purge = purge;
    this.#source = source;
    this.#target = target;
  }

  /** `stamp`: the highest applied, this entry's included. `isAsked`: somebody waits for the outcome. */
  apply(index: number, step: MoveEntry, stamp: number, isAsked: boolean): MoveOutcome {
    if (step.shard >= this.#shards.shardCount) return { answer: answerNowhere(step.step) };
    const shard = this.#shards.make(step.shard);
    const before = shard.named;
    const outcome = this.#decide(shard, index, step, stamp, isAsked);
    shard.check();
    const after = shard.named;
    for (const generation of before) {
      if (!after.includes(generation)) this.#purge.drop(shard.number, generation, index);
    }
    return outcome;
  }

  #decide(shard: Shard, index: number, step: MoveEntry, stamp: number, isAsked: boolean): MoveOutcome {
    switch (step.step) {
      // Rows touched before belong to the time before: the change index and the frozen copy begin without them.
      case MoveStep.beginExport:
        this.#sessions.flush();
        return this.#source.beginExport(shard, step, index);
      case MoveStep.trimExport:
        this.#sessions.flush();
        return this.#source.trimExport(shard, step);
      case MoveStep.freeze:
        this.#sessions.flush();
        return this.#source.freeze(shard, step, Math.max(stamp, shard.timeFloor), isAsked);
      case MoveStep.cancel:
        return this.#source.cancel(shard, step);
      case MoveStep.forget:
        return this.#source.forget(shard, step);
      case MoveStep.activateEmpty:
        return this.#target.activateEmpty(shard, step, index);
      case MoveStep.beginImport:
        return this.#target.beginImport(shard, step, index);
      case MoveStep.importChunk:
        return this.#target.importChunk(shard, step);
      case MoveStep.importDelta:
        return this.#target.importDelta(shard, step);
      case MoveStep.activate:
        return this.#target.activate(shard, step);
      case MoveStep.abort:
        return this.#target.abort(shard, step);
    }
  }

  answer(question: MoveQuestion): MoveReply {
    return this.#source.answer(this.#shards.get(question.shard), question);
  }
}

/** For a shard that the cluster does not have. */
function answerNowhere(
  step: MoveStep,
): typeof MoveAnswer.refused | typeof MoveAnswer.done | typeof MoveAnswer.stale {
  switch (step) {
    case MoveStep.beginExport:
    case MoveStep.trimExport:
    case MoveStep.freeze:
      return MoveAnswer.refused;
    case MoveStep.forget:
      return MoveAnswer.done;
    default:
      return MoveAnswer.stale;
  }
}
