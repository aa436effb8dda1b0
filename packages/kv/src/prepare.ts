import { DecodeError, Reader } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import {
  blankCommand,
  type Command,
  checkCommandCount,
  clearLeaderPart,
  commandBytes,
  commandFault,
  ENTRY_BYTES_MAX,
  ENTRY_FORMAT,
  EntryBody,
  type EntryHead,
  Op,
  readBatchHead,
  readCommand,
  readEntryHead,
  refuseCommand,
  sessionLimits,
  shardOf,
  stampEntry,
} from '@flotilla/wire';

/** With it the leader refuses commands whose key does not belong to the shard that they name. */
export interface Placement {
  readonly shardCount: number;
  readonly hasher: Hasher;
}

/** Asked of every command that may be executed, with its weight; what it does not admit is told to wait. */
export type Admits = (shard: number, bytes: number) => boolean;

const scratch: Command = blankCommand();

/**
 * The leader's walk over a client's batch before it is proposed, in place: clears what only a leader may set,
 * marks the commands that must not be executed, fills in the stamp. Returns why the batch as a whole cannot
 * be taken, with the entry unfit for use; undefined if it may be proposed.
 *
 * A bad command among good ones is refused alone. A batch that cannot be walked to its end is refused whole,
 * because nobody can say where its next command begins.
 */
export function prepareBatch(
  entry: Uint8Array,
  stamp: number,
  placement?: Placement,
  admits?: Admits,
): string | undefined {
  if (entry.length > ENTRY_BYTES_MAX) return `a batch of ${entry.length} bytes (limit ${ENTRY_BYTES_MAX})`;
  try {
    const head = readEntryHead(entry);
    if (head.format !== ENTRY_FORMAT) return `entry format ${head.format} (this group takes ${ENTRY_FORMAT})`;
    if (head.kind !== EntryBody.clientBatch) return `an entry of kind ${head.kind} from a client`;
    clearLeaderPart(entry, head);
    walk(entry, head, placement, admits);
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
  stampEntry(entry, stamp);
  return undefined;
}

function walk(
  entry: Uint8Array,
  head: EntryHead,
  placement: Placement | undefined,
  admits: Admits | undefined,
): void {
  const from = new Reader(entry, head.bodyAt);
  const batch = readBatchHead(from);
  if (batch.floor > Number.MAX_SAFE_INTEGER - sessionLimits.window) {
    throw new DecodeError(`a session floor of ${batch.floor}`, { floor: batch.floor });
  }
  checkCommandCount(head.count, from);
  for (let at = 0; at < head.count; at++) {
    readCommand(from, scratch);
    const isTaken =
      !isBad(scratch, placement) && (admits === undefined || admits(scratch.shard, commandBytes(scratch)));
    if (!isTaken) refuseCommand(entry, head, at);
  }
  from.expectEnd();
}

function isBad(command: Command, placement: Placement | undefined): boolean {
  if (commandFault(command) !== undefined) return true;
  if (placement === undefined) return false;
  const { shardCount, hasher } = placement;
  if (command.op === Op.deleteRange) return command.shard >= shardCount;
  return shardOf(command.key, shardCount, hasher) !== command.shard;
}
