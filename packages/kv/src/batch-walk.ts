import { ENTRY_BYTES_MAX, Flag, limits, SESSION_BYTES } from '@flotilla/wire';
import { getU16, getU32, isU53 } from './fields.ts';

const COMMAND_HEAD_BYTES = 12;

/**
 * True if session, floor and `count` commands stand between `bodyAt` and the end of the entry, exactly. An
 * entry that cannot be decoded changes nothing, so this is known before its first command is executed. It
 * accepts what `readBatchHead` and `readCommand` accept, without a view per field.
 */
export function isWalkable(entry: Uint8Array, bodyAt: number, count: number): boolean {
  if (count === 0 || count > limits.batchCommands || entry.length > ENTRY_BYTES_MAX) return false;
  if (!isU53(entry, bodyAt + SESSION_BYTES)) return false;
  const end = entry.length;
  let at = bodyAt + SESSION_BYTES + 8;
  for (let left = count; left > 0; left--) {
    if (at + COMMAND_HEAD_BYTES > end) return false;
    const flags = entry[at + 1] as number;
    at += COMMAND_HEAD_BYTES + getU16(entry, at + 10);
    if ((flags & Flag.ifVersion) !== 0) {
      if (!isU53(entry, at)) return false;
      at += 8;
    }
    if ((flags & Flag.ifValue) !== 0) {
      if (at + 4 > end) return false;
      at += 4 + getU32(entry, at);
    }
    if ((flags & Flag.ttl) !== 0) {
      if (!isU53(entry, at)) return false;
      at += 8;
    }
    if (at + 4 > end) return false;
    at += 4 + getU32(entry, at);
  }
  return at === end;
}
