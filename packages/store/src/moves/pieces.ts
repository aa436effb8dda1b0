import { DecodeError, equalBytes } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import { type Delta, type MoveEntry, MoveStep, openDelta, openPage, type Page } from '@flotilla/wire';

/** Where a copy stands, or will stand once what is on its way has been applied. */
export interface Place {
  readonly cursor: Uint8Array;
  readonly isComplete: boolean;
  readonly pos: number;
}

export interface MoveName {
  readonly moveId: number;
  readonly shard: number;
}

/** One page or one delta that fits where the copy stands. */
export interface Piece {
  readonly step: MoveEntry;
  readonly bytes: number;
  /** Where the copy stands after it. */
  readonly after: Place;
}

/** Why an answer is of no use: damaged on its way, or not for this place. */
export type Misfit = 'damaged' | 'misfit';

export function samePlace(left: Place, right: Place): boolean {
  if (left.isComplete !== right.isComplete || left.pos !== right.pos) return false;
  // A complete copy has no next page, so its cursor says nothing.
  return left.isComplete || equalBytes(left.cursor, right.cursor);
}

/** The target's log checks all of this again; checking here only saves entries that would change nothing. */
export function pieceOfPage(bytes: Uint8Array, place: Place, move: MoveName, hasher: Hasher): Piece | Misfit {
  const page = opened(() => openPage(bytes, hasher));
  if (page === undefined) return 'damaged';
  const isHere = page.moveId === move.moveId && page.shard === move.shard;
  if (!isHere || place.isComplete || page.view < place.pos || !equalBytes(page.cursor, place.cursor)) {
    return 'misfit';
  }
  return {
    step: { step: MoveStep.importChunk, moveId: move.moveId, shard: move.shard, page: bytes },
    bytes: bytes.length,
    after: { cursor: page.next.slice(), isComplete: page.isLast, pos: place.pos },
  };
}

export function pieceOfDelta(
  bytes: Uint8Array,
  place: Place,
  move: MoveName,
  hasher: Hasher,
): Piece | Misfit {
  const delta = opened(() => openDelta(bytes, hasher));
  if (delta === undefined) return 'damaged';
  const isHere = delta.moveId === move.moveId && delta.shard === move.shard;
  if (!isHere || delta.from > place.pos || delta.to <= place.pos) return 'misfit';
  return {
    step: { step: MoveStep.importDelta, moveId: move.moveId, shard: move.shard, delta: bytes },
    bytes: bytes.length,
    after: { cursor: place.cursor, isComplete: place.isComplete, pos: delta.to },
  };
}

function opened<T extends Page | Delta>(open: () => T | undefined): T | undefined {
  try {
    return open();
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    return undefined;
  }
}
