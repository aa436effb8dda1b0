import { assert } from '@flotilla/base';
import { type MoveEntry, MoveStep, Status } from '@flotilla/wire';
import { ShardState } from '../shard.ts';
import { latin1, MoveReference, type PlainOutcome, type PlainStep, plainOutcome } from './move-reference.ts';
import { deltaBytes, digestOf, pageBytes, sumOf } from './plain-items.ts';
import { Rig } from './rig.ts';

/** Two values of this size are more than may be open at a freeze, the larger of them left out. */
const BIG_BYTES = 300_000;

/** A group and the reference, which are told the same. */
export class MovePair {
  readonly rig: Rig = new Rig();
  readonly reference: MoveReference;
  /** Revisions of large writes, each to a key of its own. */
  readonly #big: number[] = [];
  #keys = 0;

  constructor() {
    const isMuchOpen = (after: number): boolean =>
      this.#big.filter((revision) => revision > after).length > 1;
    this.reference = new MoveReference(sumOf, isMuchOpen);
  }

  step(step: PlainStep): { readonly actual: PlainOutcome; readonly expected: PlainOutcome } {
    return {
      actual: plainOutcome(this.rig.step(entryOf(step))),
      expected: this.reference.apply(step, this.rig.now),
    };
  }

  /** A write, if the shard is served. */
  write(isBig: boolean): void {
    if (this.reference.state !== 'serving') return;
    this.reference.revision++;
    if (isBig) this.#big.push(this.reference.revision);
    const value = 'v'.repeat(isBig ? BIG_BYTES : 3);
    const result = this.rig.put(`k${this.#keys++}`, value, { epoch: this.reference.epoch });
    assert(result.status === Status.ok, () => `a write came to status ${result.status}`);
  }

  restart(): void {
    this.rig.restart();
  }

  /** What both say of the shard. */
  states(): { readonly actual: unknown; readonly expected: unknown } {
    const { reference } = this;
    const status = this.rig.group.shard(0);
    const copy = {
      moveId: reference.moveId,
      epoch: reference.epoch,
      revision: reference.revision,
      timeFloor: reference.timeFloor,
    };
    const expected = {
      state: ShardState[reference.state],
      fence: reference.fence,
      hintGid: reference.hint.gid,
      hintEpoch: reference.hint.epoch,
      ...copy,
      exported: reference.exported,
      staged: reference.staged,
      sums: reference.state === 'importing' ? sumOf(reference.items) : undefined,
    };
    if (status === undefined) {
      const blank = { state: ShardState.absent, fence: 0, hintGid: 0, hintEpoch: 0 };
      const rest = { moveId: 0, epoch: 0, revision: 0, timeFloor: 0 };
      const actual = { ...blank, ...rest, exported: undefined, staged: undefined, sums: undefined };
      return { actual, expected };
    }
    const { openExport, staging } = status;
    const digests = this.rig.group.digest(0);
    const actual = {
      state: status.state,
      fence: status.fence,
      hintGid: status.hintGid,
      hintEpoch: status.hintEpoch,
      moveId: status.moveId,
      epoch: status.epoch,
      revision: status.revision,
      timeFloor: status.timeFloor,
      exported: openExport && { moveId: openExport.moveId, r0: openExport.r0 },
      staged: staging && {
        cursor: latin1(staging.cursor),
        isComplete: staging.isComplete,
        pos: staging.pos,
      },
      sums:
        staging === undefined || digests === undefined
          ? undefined
          : { records: bigOf(digests.records), rows: bigOf(digests.rows) },
    };
    return { actual, expected };
  }
}

function bigOf({ hi, lo }: { readonly hi: number; readonly lo: number }): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo);
}

export function entryOf(step: PlainStep): MoveEntry {
  const of = { moveId: step.moveId, shard: 0 };
  switch (step.step) {
    case MoveStep.beginImport:
      return {
        ...of,
        step: step.step,
        epoch: step.epoch,
        base: step.base,
        sourceGid: 3,
        sourceIncarnation: 1,
      };
    case MoveStep.importChunk:
      return { ...of, step: step.step, page: pageBytes(step.page) };
    case MoveStep.importDelta:
      return { ...of, step: step.step, delta: deltaBytes(step.delta) };
    case MoveStep.activate: {
      const digests = { records: digestOf(step.digests.records), rows: digestOf(step.digests.rows) };
      return { ...of, step: step.step, revision: step.revision, time: step.time, digests };
    }
    default:
      return { ...step, shard: 0 };
  }
}
