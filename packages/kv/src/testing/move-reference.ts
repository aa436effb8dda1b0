import { MoveAnswer, type MoveOutcome, MoveStep } from '@flotilla/wire';

/**
 * What one shard of one group should do with the steps of moves, written down from the tables of the protocol
 * with plain data and none of the group's own means. Names of items are texts of latin-1 characters that begin
 * with their kind, 1 for a record and 2 for a row; so are cursors, and the order of texts is their order.
 */

export interface PlainItem {
  readonly name: string;
  readonly revision: number;
  /** Undefined: gone. */
  readonly body: string | undefined;
}

export interface PlainPiece {
  readonly moveId: number;
  readonly shard: number;
  readonly isDamaged: boolean;
  readonly items: readonly PlainItem[];
}

export interface PlainPage extends PlainPiece {
  readonly cursor: string;
  readonly view: number;
  readonly next: string;
  readonly isLast: boolean;
}

export interface PlainDelta extends PlainPiece {
  readonly from: number;
  readonly to: number;
}

/** Sums over records and rows, as the caller computes them. */
export interface PlainDigests {
  readonly records: bigint;
  readonly rows: bigint;
}

interface Of {
  readonly moveId: number;
}

export type PlainStep = Of &
  (
    | { readonly step: typeof MoveStep.activateEmpty | typeof MoveStep.beginExport; readonly epoch: number }
    | { readonly step: typeof MoveStep.trimExport; readonly to: number }
    | {
        readonly step: typeof MoveStep.freeze;
        readonly epoch: number;
        readonly pos: number;
        readonly target: number;
      }
    | { readonly step: typeof MoveStep.cancel | typeof MoveStep.forget | typeof MoveStep.abort }
    | { readonly step: typeof MoveStep.beginImport; readonly epoch: number; readonly base: number }
    | { readonly step: typeof MoveStep.importChunk; readonly page: PlainPage }
    | { readonly step: typeof MoveStep.importDelta; readonly delta: PlainDelta }
    | {
        readonly step: typeof MoveStep.activate;
        readonly revision: number;
        readonly time: number;
        readonly digests: PlainDigests;
      }
  );

export const END = '\u0003';

/** Of an outcome what the tables of the protocol say. */
export type PlainOutcome = { readonly answer: MoveAnswer } & {
  readonly [field in 'r0' | 'revision' | 'time' | 'cursor' | 'isComplete' | 'pos']?: unknown;
};

export class MoveReference {
  fence = 0;
  state: 'absent' | 'importing' | 'serving' | 'frozen' = 'absent';
  moveId = 0;
  epoch = 0;
  revision = 0;
  timeFloor = 0;
  hint = { gid: 0, epoch: 0 };
  exported: { moveId: number; r0: number } | undefined;
  staged: { cursor: string; isComplete: boolean; pos: number } | undefined;
  items: Map<string, PlainItem> = new Map();
  readonly #sum: (items: ReadonlyMap<string, PlainItem>) => PlainDigests;
  /** Whether more is open after a revision than a freeze allows. */
  readonly #isMuchOpen: (after: number) => boolean;

  constructor(
    sum: (items: ReadonlyMap<string, PlainItem>) => PlainDigests,
    isMuchOpen: (after: number) => boolean,
  ) {
    this.#sum = sum;
    this.#isMuchOpen = isMuchOpen;
  }

  /** `now`: the stamp of the entry. */
  apply(step: PlainStep, now: number): PlainOutcome {
    const m = step.moveId;
    const closed = { answer: m <= this.fence ? MoveAnswer.closed : MoveAnswer.refused };
    const isFrozenBy = this.state === 'frozen' && this.moveId === m;
    const isServingBy = this.state === 'serving' && this.moveId === m;
    const isImportingBy = this.state === 'importing' && this.moveId === m;
    const isExporting = this.state === 'serving' && this.exported?.moveId === m;
    const r0 = this.exported?.r0 ?? 0;
    switch (step.step) {
      case MoveStep.beginExport:
        if (isExporting) return { answer: MoveAnswer.opened, r0 };
        if (isFrozenBy) return this.#frozen();
        if (this.state !== 'serving' || m <= this.fence || step.epoch !== this.epoch + 1) return closed;
        if (this.exported !== undefined && this.exported.moveId > m) return closed;
        this.exported = { moveId: m, r0: this.revision };
        return { answer: MoveAnswer.opened, r0: this.revision };

      case MoveStep.trimExport:
        if (!isExporting) return closed;
        if (r0 < step.to && step.to <= this.revision) this.exported = { moveId: m, r0: step.to };
        return { answer: MoveAnswer.trimmed, r0: this.exported?.r0 };

      case MoveStep.freeze: {
        if (isFrozenBy) return this.#frozen();
        if (!isExporting || m <= this.fence || step.epoch !== this.epoch + 1) return closed;
        const isInside = r0 <= step.pos && step.pos <= this.revision;
        if (!isInside || this.#isMuchOpen(step.pos)) return { answer: MoveAnswer.notYet, r0 };
        this.state = 'frozen';
        this.moveId = m;
        this.fence = m;
        this.timeFloor = Math.max(now, this.timeFloor);
        this.hint = { gid: step.target, epoch: step.epoch };
        return this.#frozen();
      }

      case MoveStep.cancel:
        if (this.state === 'serving') {
          if (m > this.fence) this.#close(m);
          return { answer: MoveAnswer.cancelled };
        }
        return { answer: isFrozenBy ? MoveAnswer.tooLate : MoveAnswer.stale };

      case MoveStep.forget:
        if (isFrozenBy) this.#empty();
        return { answer: MoveAnswer.done };

      case MoveStep.activateEmpty:
        if (this.state === 'absent' && m > this.fence) {
          this.#empty();
          this.state = 'serving';
          this.moveId = m;
          this.epoch = step.epoch;
          this.fence = m;
          this.hint = { gid: 0, epoch: 0 };
          return { answer: MoveAnswer.active };
        }
        return { answer: isServingBy ? MoveAnswer.active : MoveAnswer.stale };

      case MoveStep.beginImport: {
        const isFree =
          this.state === 'absent' ||
          ((this.state === 'frozen' || this.state === 'importing') && this.moveId < m) ||
          (isImportingBy && step.base > (this.staged?.pos ?? 0));
        if (m > this.fence && isFree) {
          this.#empty();
          this.state = 'importing';
          this.moveId = m;
          this.epoch = step.epoch;
          this.staged = { cursor: '', isComplete: false, pos: step.base };
        }
        return this.#standing(m);
      }

      case MoveStep.importChunk: {
        const { page } = step;
        const { staged } = this;
        if (!isImportingBy || staged === undefined || !isOwn(page, m)) return this.#standing(m);
        if (staged.isComplete || page.cursor !== staged.cursor) return this.#standing(m);
        if (page.view < staged.pos) return this.#standing(m);
        for (const item of page.items) this.items.set(item.name, item);
        staged.cursor = page.isLast ? END : page.next;
        staged.isComplete = page.isLast;
        return this.#standing(m);
      }

      case MoveStep.importDelta: {
        const { delta } = step;
        const { staged } = this;
        if (!isImportingBy || staged === undefined || !isOwn(delta, m)) return this.#standing(m);
        if (delta.from > staged.pos || delta.to <= staged.pos) return this.#standing(m);
        for (const item of delta.items) {
          if (item.name >= staged.cursor) continue;
          if ((this.items.get(item.name)?.revision ?? 0) >= item.revision) continue;
          if (item.body === undefined) this.items.delete(item.name);
          else this.items.set(item.name, item);
        }
        staged.pos = delta.to;
        return this.#standing(m);
      }

      case MoveStep.activate: {
        if (!isImportingBy || this.staged === undefined) {
          return { answer: isServingBy ? MoveAnswer.active : MoveAnswer.stale };
        }
        if (!this.staged.isComplete || this.staged.pos !== step.revision) {
          return { answer: MoveAnswer.gap, ...this.staged };
        }
        const own = this.#sum(this.items);
        if (own.records !== step.digests.records || own.rows !== step.digests.rows) {
          this.#empty();
          return { answer: MoveAnswer.digest };
        }
        this.state = 'serving';
        this.staged = undefined;
        this.revision = step.revision;
        this.timeFloor = step.time;
        this.fence = m;
        this.hint = { gid: 0, epoch: 0 };
        return { answer: MoveAnswer.active };
      }

      case MoveStep.abort:
        if (m < this.fence) return { answer: MoveAnswer.stale };
        if (isServingBy) return { answer: MoveAnswer.active };
        this.#close(m);
        return { answer: MoveAnswer.aborted };
    }
  }

  #frozen(): PlainOutcome {
    const r0 = this.exported?.r0;
    return { answer: MoveAnswer.frozen, r0, revision: this.revision, time: this.timeFloor };
  }

  #standing(m: number): PlainOutcome {
    if (this.state === 'importing' && this.moveId === m) return { answer: MoveAnswer.staged, ...this.staged };
    const isServing = this.state === 'serving' && this.moveId === m;
    return { answer: isServing ? MoveAnswer.active : MoveAnswer.stale };
  }

  #close(m: number): void {
    this.fence = m;
    if (this.state === 'importing' && this.moveId <= m) this.#empty();
    if (this.state === 'serving' && (this.exported?.moveId ?? 0) <= m) this.exported = undefined;
  }

  #empty(): void {
    this.state = 'absent';
    this.moveId = 0;
    this.epoch = 0;
    this.revision = 0;
    this.timeFloor = 0;
    this.exported = undefined;
    this.staged = undefined;
    this.items = new Map();
  }
}

function isOwn(piece: PlainPiece, moveId: number): boolean {
  return !piece.isDamaged && piece.moveId === moveId && piece.shard === 0;
}

/** The same fields of what a group answered. */
export function plainOutcome(outcome: MoveOutcome): PlainOutcome {
  switch (outcome.answer) {
    case MoveAnswer.opened:
    case MoveAnswer.trimmed:
    case MoveAnswer.notYet:
      return { answer: outcome.answer, r0: outcome.r0 };
    case MoveAnswer.frozen: {
      const { revision, time } = outcome.facts;
      return { answer: outcome.answer, r0: outcome.r0, revision, time };
    }
    case MoveAnswer.staged:
    case MoveAnswer.gap: {
      const { answer, cursor, isComplete, pos } = outcome;
      return { answer, cursor: latin1(cursor), isComplete, pos };
    }
    default:
      return { answer: outcome.answer };
  }
}

export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
