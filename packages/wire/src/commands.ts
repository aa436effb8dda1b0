import { DecodeError, EMPTY_BYTES, type Reader, type Writer } from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * Commands of a client batch.
 *
 *   op u8 · flags u8 · shard u16 · epoch u32 · seq - floor u16 · key bytes16
 *   [version u53] [expected bytes32] [ttl u53] · value bytes32
 *
 * `value` is: what to put or append; the decimal text of an increment; for a range delete the end of the
 * range (empty: to the end of the shard), with the start as `key` and the largest count in `ttl`'s place.
 */

export const Op = {
  put: 1,
  delete: 2,
  append: 3,
  increment: 4,
  deleteRange: 5,
} as const;
export type Op = (typeof Op)[keyof typeof Op];

export const Flag = {
  ifAbsent: 1,
  ifPresent: 2,
  ifVersion: 4,
  ifValue: 8,
  /** A relative time to live; for a range delete, the largest count. */
  ttl: 16,
} as const;

export interface Command {
  op: Op;
  flags: number;
  shard: number;
  epoch: number;
  /** Sequence number minus the batch's floor. */
  seqOffset: number;
  key: Uint8Array;
  /** With `Flag.ifVersion`; 0 means that the key must be absent. */
  version: number;
  /** With `Flag.ifValue`. */
  expected: Uint8Array;
  /** With `Flag.ttl`, ms. */
  ttl: number;
  value: Uint8Array;
}

const ALL_FLAGS = 31;
const COMMAND_BYTES_MIN = 16;

export function blankCommand(): Command {
  return {
    op: Op.put,
    flags: 0,
    shard: 0,
    epoch: 0,
    seqOffset: 0,
    key: EMPTY_BYTES,
    version: 0,
    expected: EMPTY_BYTES,
    ttl: 0,
    value: EMPTY_BYTES,
  };
}

export function writeCommand(out: Writer, command: Command): void {
  out.u8(command.op);
  out.u8(command.flags);
  out.u16(command.shard);
  out.u32(command.epoch);
  out.u16(command.seqOffset);
  out.bytes16(command.key);
  if ((command.flags & Flag.ifVersion) !== 0) out.u53(command.version);
  if ((command.flags & Flag.ifValue) !== 0) out.bytes32(command.expected);
  if ((command.flags & Flag.ttl) !== 0) out.u53(command.ttl);
  out.bytes32(command.value);
}

/** Upper bound of what {@link writeCommand} writes. */
export function commandBytes(command: Command): number {
  return 36 + command.key.length + command.expected.length + command.value.length;
}

/**
 * Reads the next command into `command` (reused, no allocation but views). Throws `DecodeError` if it cannot
 * even be walked; limits and unknown operations are judged by the caller, per command.
 */
export function readCommand(from: Reader, command: Command): void {
  command.op = from.u8() as Op;
  command.flags = from.u8();
  command.shard = from.u16();
  command.epoch = from.u32();
  command.seqOffset = from.u16();
  command.key = from.bytes16(0xffff);
  command.version = (command.flags & Flag.ifVersion) !== 0 ? from.u53() : 0;
  command.expected = (command.flags & Flag.ifValue) !== 0 ? from.bytes32(limits.batchBytes) : EMPTY_BYTES;
  command.ttl = (command.flags & Flag.ttl) !== 0 ? from.u53() : 0;
  command.value = from.bytes32(limits.batchBytes);
}

/** Why a command that could be walked must not be executed; undefined if it may. */
export function commandFault(command: Command): string | undefined {
  if (command.op < Op.put || command.op > Op.deleteRange) return `unknown operation ${command.op}`;
  if ((command.flags & ~ALL_FLAGS) !== 0) return `unknown flags ${command.flags}`;
  const isRange = command.op === Op.deleteRange;
  if (!isRange && command.key.length === 0) return 'an empty key';
  if (command.key.length > limits.keyBytes)
    return `a key of ${command.key.length} bytes (limit ${limits.keyBytes})`;
  const valueMax = isRange ? limits.keyBytes + 1 : command.op === Op.increment ? 20 : limits.valueBytes;
  if (command.value.length > valueMax) return `a value of ${command.value.length} bytes (limit ${valueMax})`;
  if (command.expected.length > limits.valueBytes) {
    return `an expected value of ${command.expected.length} bytes (limit ${limits.valueBytes})`;
  }
  if (command.op === Op.delete && command.value.length > 0) return 'a delete with a value';
  if (isRange && (command.flags & ~Flag.ttl) !== 0) return 'a range delete with conditions';
  return undefined;
}

/** The number of commands must be plausible before anything is walked. */
export function checkCommandCount(count: number, from: Reader): void {
  if (count === 0 || count > limits.batchCommands || count * COMMAND_BYTES_MIN > from.remaining) {
    throw new DecodeError(
      `a batch of ${count} commands (limit ${limits.batchCommands}) in ${from.remaining} bytes`,
      {
        count,
      },
    );
  }
}
