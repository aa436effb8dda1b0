import { assert } from '@flotilla/base';
import { type ClusterConfig, MovePhase } from '@flotilla/wire';

/** What never changes about a move: it follows from the config that ordered it. */
export interface Move {
  readonly moveId: number;
  /** Epoch that it leads to. */
  readonly epoch: number;
  /** Place of source and target among the groups of the model; no source: a first assignment. */
  readonly source: number | undefined;
  readonly target: number;
  readonly sourceGid: number;
  readonly sourceIncarnation: number;
  readonly targetGid: number;
}

/** What has once been true of a move. Nothing of it is ever taken back, so whoever heard of it may say it for ever. */
export const Flag = {
  /** Some config had it in the phase `cancelling`. */
  cancelAsked: 1,
  /** Some config newer than it had no intent for it. */
  removed: 2,
  /** Its source was frozen, and a driver found that this copy may go. */
  forgetDue: 4,
  /** Its target staged a copy, and a driver found that it may go. */
  abortDue: 8,
  /** Its source (of a first assignment: its target) answered `cancelled`. */
  saidCancelled: 16,
  /** The same, `tooLate`. */
  saidTooLate: 32,
  /** Its target served by it. */
  served: 64,
  /** Its source, or its target, was dismantled and founded anew: nothing of this move reaches the new group. */
  sourceGone: 128,
  targetGone: 256,
} as const;

/** Bits of a word: the move's number, its flags, revisions. */
const FLAGS_AT = 8;
const BASES_AT = 18;
/** Revisions of the shard that a row has room for. */
export const REVISIONS: number = 32 - BASES_AT;

/**
 * The moves of a model, numbered from 1, and how a move stands in a row: a word with number, flags and every r0
 * that its source ever answered; a word for the pages and changes that were ever readable; and a word for the
 * facts of its freeze.
 */
export class MoveList {
  readonly #moves: Move[] = [];
  readonly #numbers = new Map<string, number>();

  number(move: Move): number {
    const key = JSON.stringify(move);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#moves.push(move);
    assert(this.#moves.length < 256, 'a word has eight bits for the move');
    this.#numbers.set(key, this.#moves.length);
    return this.#moves.length;
  }

  move(number: number): Move {
    return this.#moves[number - 1] as Move;
  }
}

/** The move that a word is about. */
export function numberOf(word: number): number {
  return word & 0xff;
}

export function flagsOf(word: number): number {
  return (word >>> FLAGS_AT) & 0x3ff;
}

export function withFlag(word: number, flag: number): number {
  return (word | (flag << FLAGS_AT)) >>> 0;
}

/** Adds a revision that the source named as r0, or froze at. */
export function withBase(word: number, revision: number): number {
  assert(revision < REVISIONS, 'the model has few revisions');
  return (word | (1 << (BASES_AT + revision))) >>> 0;
}

export function hasBase(word: number, revision: number): boolean {
  return revision < REVISIONS && ((word >>> (BASES_AT + revision)) & 1) !== 0;
}

/** The open move of the shard as the config tells it. */
export function openMove(config: ClusterConfig, placeOf: (gid: number) => number): Move | undefined {
  const record = config.shards[0];
  const intent = record?.intent;
  if (record === undefined || intent === undefined) return undefined;
  const source = config.groups.find(({ gid }) => gid === record.owner);
  return {
    moveId: intent.moveId,
    epoch: record.epoch + 1,
    source: source === undefined ? undefined : placeOf(source.gid),
    target: placeOf(intent.target),
    sourceGid: record.owner,
    sourceIncarnation: source?.incarnation ?? 0,
    targetGid: intent.target,
  };
}

export function isCancelling(config: ClusterConfig): boolean {
  return config.shards[0]?.intent?.phase === MovePhase.cancelling;
}
