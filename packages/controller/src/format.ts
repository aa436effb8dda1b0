import { assert, isCount, putU53, putU53Big, Reader, u64BigAt } from '@flotilla/base';

/**
 * Format of controller entries and of the stored state. Replicas decide by these values at apply, so a change
 * of any of them needs a new entry format, which a leader uses once all members have announced it.
 *
 *   entry: format u8 · stamp u53 · cold value { request, author, command }
 *
 * The state lives below the group's prefix, which no value repeats: a snapshot copies the rows as they are.
 *
 *   1                                   meta (see `controller-group.ts`)
 *   2 · number u64 big endian           one config, for ever, most as differences (`history.ts`)
 *   3 · sequence u64 big endian         one answer that a repeat would get (`answer-table.ts`)
 *   4 · storeId · 0 · incarnation       highest address version of a former incarnation of a store
 *   5                                   the newest config as a whole (`history.ts`)
 */
export const CONTROLLER_ENTRY_FORMAT = 1;
const HEAD_BYTES = 9;

export const Row = { meta: 1, config: 2, answer: 3, formerIncarnation: 4, newestConfig: 5 } as const;
export type Row = (typeof Row)[keyof typeof Row];

export const controllerLimits = {
  /** Answers that are remembered for repeats; the oldest goes first. */
  answersKept: 1024,
  /** Groups in one join or leave, so that cause and answer stay readable and the entry small. */
  groupsPerChange: 256,
  /** Of so many configs that follow each other one is kept as a whole. */
  configsPerCopy: 64,
  authorBytes: 256,
  clusterIdBytes: 64,
  incarnationBytes: 64,
  zoneBytes: 256,
} as const;

/** The leader's part: log time in ms, written into the entry before it is proposed. */
export function stampControllerEntry(entry: Uint8Array, stamp: number): void {
  assert(entry.length >= HEAD_BYTES && isCount(stamp), 'a controller entry has room for its stamp');
  putU53(entry, 1, stamp);
}

export interface ControllerEntryHead {
  readonly format: number;
  readonly stamp: number;
  readonly body: Uint8Array;
}

/** Throws `DecodeError` if the bytes are too short. The format is not judged here. */
export function readControllerEntryHead(entry: Uint8Array): ControllerEntryHead {
  const from = new Reader(entry);
  return { format: from.u8(), stamp: from.u53(), body: from.raw(from.remaining) };
}

/** Key of a row under the group's prefix. */
export function rowKey(prefix: Uint8Array, row: Row, rest: Uint8Array): Uint8Array {
  const key = new Uint8Array(prefix.length + 1 + rest.length);
  key.set(prefix);
  key[prefix.length] = row;
  key.set(rest, prefix.length + 1);
  return key;
}

/** Key of a numbered row; big endian, so that rows stand in the order of their numbers. */
export function numberedKey(prefix: Uint8Array, row: Row, number: number): Uint8Array {
  const rest = new Uint8Array(8);
  putU53Big(rest, 0, number);
  return rowKey(prefix, row, rest);
}

/** The number at the end of a key made by {@link numberedKey}. */
export function keyNumber(key: Uint8Array): number {
  return u64BigAt(key, key.length - 8);
}
