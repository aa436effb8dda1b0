import { Reader, Writer } from '@flotilla/base';
import { limits, type MoveProgress, moveStates } from '@flotilla/wire';

/** What one store says about moves: those that it drives, those that it drove lately, and which groups it leads. */
export interface MovesReport {
  readonly moves: readonly MoveProgress[];
  /** gids. */
  readonly leads: readonly number[];
}

const PROBLEM_LENGTH_MAX = 300;
/** More than a store drives and remembers: an intent for each shard, and those that ended lately. */
const MOVES_MAX = 2 * limits.shardCountMax;
const MOVE_BYTES_MIN = 57;

/** Hot-coded: thousands of moves would break the element limit of cold values. */
export function encodeMovesReport({ moves, leads }: MovesReport): Uint8Array {
  const out = new Writer(1024);
  out.u32(leads.length);
  for (const gid of leads) out.u32(gid);
  const told = moves.slice(0, MOVES_MAX);
  out.u32(told.length);
  for (const move of told) {
    out.u53(move.moveId);
    out.u16(move.shard);
    out.u32(move.source);
    out.u32(move.target);
    out.u8(moveStates.indexOf(move.state));
    out.u53(move.bytes);
    out.u53(move.totalBytes);
    out.u53(move.bytesPerSecond);
    out.u53(move.ageMs);
    writeOptional(out, move.etaMs);
    writeOptional(out, move.pauseMs);
    out.text(move.problem.slice(0, PROBLEM_LENGTH_MAX).toWellFormed());
  }
  return out.take();
}

/** Throws `DecodeError`. */
export function decodeMovesReport(bytes: Uint8Array): MovesReport {
  const from = new Reader(bytes);
  const leads: number[] = [];
  for (let left = from.count(limits.groupsMax + 1, 4); left > 0; left--) leads.push(from.u32());
  const moves: MoveProgress[] = [];
  for (let left = from.count(MOVES_MAX, MOVE_BYTES_MIN); left > 0; left--) {
    moves.push({
      moveId: from.u53(),
      shard: from.u16(),
      source: from.u32(),
      target: from.u32(),
      // A state that only a newer version knows: nothing that this one could call it.
      state: moveStates[from.u8()] ?? 'waiting',
      bytes: from.u53(),
      totalBytes: from.u53(),
      bytesPerSecond: from.u53(),
      ageMs: from.u53(),
      etaMs: readOptional(from),
      pauseMs: readOptional(from),
      problem: from.text(4 * PROBLEM_LENGTH_MAX),
    });
  }
  from.expectEnd();
  return { moves, leads };
}

function writeOptional(out: Writer, value: number | undefined): void {
  out.bool(value !== undefined);
  if (value !== undefined) out.u53(value);
}

function readOptional(from: Reader): number | undefined {
  return from.bool() ? from.u53() : undefined;
}
