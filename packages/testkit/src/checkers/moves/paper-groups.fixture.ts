import { Writer } from '@flotilla/base';
import { moveEntry } from '@flotilla/kv';
import {
  beginEntry,
  blankCommand,
  EntryBody,
  type MoveEntry,
  MoveStep,
  makeSession,
  Op,
  type ShardDigests,
  stampEntry,
  writeBatchHead,
  writeCommand,
} from '@flotilla/wire';
import { MoveChecker } from './move-checker.ts';
import { NOTHING_KNOWN, type ShardFacts } from './shard-facts.ts';

/** Groups that exist on paper: a test says what each entry leaves, right or wrong, and the checker judges it. */

export const SHARD = 3;
export const A = { gid: 1, incarnation: 5 };
export const B = { gid: 2, incarnation: 5 };
export const session: Uint8Array = makeSession(1_000, { u32: () => 7 });

export const digestsOf = (mark: number): ShardDigests => ({
  records: { hi: mark, lo: 0 },
  rows: { hi: 0, lo: mark },
});

/** Commands of one session on the shard, by sequence number. */
export function batch(epoch: number, floor: number, ...seqs: readonly number[]): Uint8Array {
  const out = new Writer(256);
  beginEntry(out, EntryBody.clientBatch, seqs.length);
  writeBatchHead(out, { session, floor });
  for (const seq of seqs) {
    const key = Uint8Array.of(1);
    writeCommand(out, { ...blankCommand(), op: Op.delete, shard: SHARD, epoch, seqOffset: seq - floor, key });
  }
  const entry = out.finish();
  stampEntry(entry, 2_000);
  return entry;
}

export class PaperGroups {
  readonly checker: MoveChecker = new MoveChecker();
  readonly #index = new Map<number, number>();
  readonly #facts = new Map<number, ShardFacts>();

  factsOf({ gid }: typeof A): ShardFacts {
    return this.#facts.get(gid) ?? NOTHING_KNOWN;
  }

  /** An entry of the group's log; `leaves` are the facts that change. */
  entry(group: typeof A, data: Uint8Array, leaves: Partial<ShardFacts>, mark = 1): void {
    const index = (this.#index.get(group.gid) ?? 0) + 1;
    this.#index.set(group.gid, index);
    const facts = { ...this.factsOf(group), ...leaves };
    this.#facts.set(group.gid, facts);
    this.checker.applied(group, index, data, { facts: () => facts, digests: () => digestsOf(mark) });
  }

  /** The index of the entry that comes next. */
  next({ gid }: typeof A): number {
    return (this.#index.get(gid) ?? 0) + 1;
  }

  step(group: typeof A, step: MoveEntry, leaves: Partial<ShardFacts>, mark = 1): void {
    this.entry(group, moveEntry(step, 2_000), leaves, mark);
  }

  /** A serves the shard at epoch 1, and B has all of it at revision 0 for move 20. */
  copied(): this {
    const of = { shard: SHARD, moveId: 20 };
    const generation = this.next(A);
    this.step(
      A,
      { step: MoveStep.activateEmpty, shard: SHARD, moveId: 10, epoch: 1 },
      { state: 'serving', fence: 10, moveId: 10, epoch: 1, generation },
    );
    this.step(A, { step: MoveStep.beginExport, ...of, epoch: 2 }, { opened: { moveId: 20, r0: 0 } });
    const staged = { cursor: new Uint8Array(0), isComplete: false, pos: 0 };
    this.step(
      B,
      { step: MoveStep.beginImport, ...of, epoch: 2, sourceGid: 1, sourceIncarnation: 5, base: 0 },
      { state: 'importing', moveId: 20, epoch: 2, generation: this.next(B), staged },
    );
    const page = new Uint8Array(0);
    this.step(B, { step: MoveStep.importChunk, ...of, page }, { staged: { ...staged, isComplete: true } });
    return this;
  }

  /** The same, and A is frozen for it. */
  frozen(): this {
    this.copied();
    const leaves = { state: 'frozen', fence: 20, moveId: 20, timeFloor: 2_000 } as const;
    this.step(A, { step: MoveStep.freeze, shard: SHARD, moveId: 20, epoch: 2, pos: 0, target: 2 }, leaves);
    return this;
  }

  /** What B is told to activate; `leaves` may say something else than it should. */
  activate(leaves: Partial<ShardFacts> = {}, mark = 1): void {
    const { revision } = this.factsOf(A);
    const step = { step: MoveStep.activate, shard: SHARD, moveId: 20, revision, time: 2_000 } as const;
    const right = { state: 'serving', fence: 20, revision, timeFloor: 2_000, staged: undefined } as const;
    this.step(B, { ...step, digests: digestsOf(1) }, { ...right, ...leaves }, mark);
  }

  /** And B serves it at epoch 2. */
  moved(): this {
    this.frozen();
    this.activate();
    return this;
  }
}
