import { assert } from '@flotilla/base';
import {
  AskKind,
  type FrozenFacts,
  MoveAnswer,
  type MoveOutcome,
  type MoveReply,
  MoveStep,
  Verdict,
} from '@flotilla/wire';
import type { DataGroup } from '../data-group.ts';
import type { ShardStatus, StagingStatus } from '../shard-status.ts';
import type { Rig } from './rig.ts';

type Reply<V extends MoveReply['verdict']> = Extract<MoveReply, { readonly verdict: V }>;
type OutcomeOf<O extends MoveOutcome, A> = O extends MoveOutcome
  ? A extends O['answer']
    ? O
    : never
  : never;
type Outcome<A extends MoveAnswer> = OutcomeOf<MoveOutcome, A>;

export interface MoveOptions {
  readonly moveId?: number;
  readonly shard?: number;
  /** Of the source; the target's is one above. */
  readonly epoch?: number;
}

/** One move from rig to rig, driven as a leader of the target would, one step at a time. For tests. */
export class Move {
  readonly source: Rig;
  readonly target: Rig;
  readonly moveId: number;
  readonly number: number;
  readonly epoch: number;
  facts: FrozenFacts | undefined;

  constructor(source: Rig, target: Rig, options: MoveOptions = {}) {
    this.source = source;
    this.target = target;
    this.moveId = options.moveId ?? 10;
    this.number = options.shard ?? 0;
    this.epoch = (options.epoch ?? 1) + 1;
  }

  get #of(): { readonly moveId: number; readonly shard: number } {
    return { moveId: this.moveId, shard: this.number };
  }

  /** Shard of the source. */
  get given(): ShardStatus {
    return statusOf(this.source, this.number);
  }

  /** Shard of the target. */
  get taken(): ShardStatus {
    return statusOf(this.target, this.number);
  }

  get staging(): StagingStatus {
    const { staging } = this.taken;
    assert(staging !== undefined, 'nothing is staged');
    return staging;
  }

  beginExport(): MoveOutcome {
    return this.source.step({ step: MoveStep.beginExport, ...this.#of, epoch: this.epoch });
  }

  trim(to: number): MoveOutcome {
    return this.source.step({ step: MoveStep.trimExport, ...this.#of, to });
  }

  beginImport(base: number): MoveOutcome {
    const source = { sourceGid: this.source.gid, sourceIncarnation: 1 };
    return this.target.step({ step: MoveStep.beginImport, ...this.#of, epoch: this.epoch, ...source, base });
  }

  begin(): void {
    this.beginExport();
    this.beginImport(this.given.openExport?.r0 ?? 0);
  }

  page(
    cursor: Uint8Array = this.staging.cursor,
    minView = 0,
    replica: DataGroup = this.source.group,
  ): Reply<typeof Verdict.page> {
    const question = { kind: AskKind.page, ...this.#of, cursor, minView };
    return replied(replica.answer(question), Verdict.page);
  }

  changes(
    from: number = this.staging.pos,
    replica: DataGroup = this.source.group,
  ): Reply<typeof Verdict.changes> {
    return replied(replica.answer({ kind: AskKind.changes, ...this.#of, from }), Verdict.changes);
  }

  takePage(page: Uint8Array = this.page().page): MoveOutcome {
    return this.target.step({ step: MoveStep.importChunk, ...this.#of, page });
  }

  takeDelta(delta: Uint8Array = this.changes().delta): MoveOutcome {
    return this.target.step({ step: MoveStep.importDelta, ...this.#of, delta });
  }

  /** All pages; returns how many. */
  copy(): number {
    let count = 0;
    for (; !this.staging.isComplete; count++) this.takePage();
    return count;
  }

  /** Changes until there are none. */
  catchUp(): number {
    let count = 0;
    for (;;) {
      const { delta } = this.changes();
      if (delta.length === 0) return count;
      this.takeDelta(delta);
      count++;
    }
  }

  freeze(pos: number = this.staging.pos): MoveOutcome {
    const outcome = this.source.step({
      step: MoveStep.freeze,
      ...this.#of,
      epoch: this.epoch,
      pos,
      target: this.target.gid,
    });
    if (outcome.answer === MoveAnswer.frozen) this.facts = outcome.facts;
    return outcome;
  }

  cancel(): MoveOutcome {
    return this.source.step({ step: MoveStep.cancel, ...this.#of });
  }

  forget(): MoveOutcome {
    return this.source.step({ step: MoveStep.forget, ...this.#of });
  }

  abort(): MoveOutcome {
    return this.target.step({ step: MoveStep.abort, ...this.#of });
  }

  activate(facts: FrozenFacts | undefined = this.facts): MoveOutcome {
    assert(facts !== undefined, 'the source is not frozen');
    return this.target.step({ step: MoveStep.activate, ...this.#of, ...facts });
  }

  /** From the copied state to the end. */
  finish(): MoveOutcome {
    this.catchUp();
    const outcome = answered(this.freeze(), MoveAnswer.frozen);
    if (outcome.delta.length > 0) this.takeDelta(outcome.delta);
    return this.activate();
  }

  run(): MoveOutcome {
    this.begin();
    this.copy();
    return this.finish();
  }
}

function statusOf(rig: Rig, number: number): ShardStatus {
  const status = rig.group.shard(number);
  assert(status !== undefined, () => `shard ${number} was never here`);
  return status;
}

export function replied<V extends MoveReply['verdict']>(reply: MoveReply, verdict: V): Reply<V> {
  assert(reply.verdict === verdict, () => `verdict ${reply.verdict} instead of ${verdict}`);
  return reply as Reply<V>;
}

export function answered<A extends MoveAnswer>(outcome: MoveOutcome, answer: A): Outcome<A> {
  assert(outcome.answer === answer, () => `answer ${outcome.answer} instead of ${answer}`);
  return outcome as Outcome<A>;
}
