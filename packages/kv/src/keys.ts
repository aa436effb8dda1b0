import { assert } from '@flotilla/base';
import { limits } from '@flotilla/wire';
import { setOrdered } from './fields.ts';

/**
 * Key = prefix · shard u16 · generation u64 · kind u8 · name, big endian throughout. The prefix names group
 * and replica; it stands in keys only, never in values, so a group's state is copied by renaming its keys.
 * A generation is one copy of one shard: two copies never share a key, and a copy goes by dropping its range.
 */

export const Kind = {
  /** name = the record's key. */
  record: 1,
  /** name = session id, which begins with the time of its opening: the first row is the first to fall due. */
  row: 2,
  /** name = expiresAt u64 · the record's key; empty value. */
  expiry: 3,
  /** Change index of an export, under the index of its `BeginExport` entry as generation: see `change-index`. */
  change: 4,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** What belongs to the whole group lies under this shard number and generation 0. */
export const GROUP_SHARD = 0xffff;

export const GroupKind = {
  /** No name: what is known of the group as a whole. */
  group: 1,
  /** name = shard u16. */
  shard: 2,
} as const;

assert(limits.shardCountMax <= 0xff00, 'shard numbers leave room for what belongs to the group');

export const EXPIRY_NAME_AT = 8;

export class KeySpace {
  readonly prefix: Uint8Array;
  /** Bytes before the name. */
  readonly nameAt: number;

  constructor(prefix: Uint8Array) {
    this.prefix = prefix;
    this.nameAt = prefix.length + 11;
  }

  /** Everything before the kind: where the keys of a generation begin. */
  copyHead(shard: number, generation: number): Uint8Array {
    return this.#head(this.nameAt - 1, shard, generation);
  }

  /** Everything before the name. */
  head(shard: number, generation: number, kind: number): Uint8Array {
    const head = this.#head(this.nameAt, shard, generation);
    head[this.nameAt - 1] = kind;
    return head;
  }

  #head(length: number, shard: number, generation: number): Uint8Array {
    const head = new Uint8Array(length);
    head.set(this.prefix, 0);
    const at = this.prefix.length;
    head[at] = shard >>> 8;
    head[at + 1] = shard;
    setOrdered(head, at + 2, generation);
    return head;
  }
}

/** The first key after all names under `head`, whose last byte is a kind. */
export function headEnd(head: Uint8Array): Uint8Array {
  const end = head.slice();
  const last = end.length - 1;
  end[last] = (end[last] as number) + 1;
  return end;
}

export function keyUnder(head: Uint8Array, name: Uint8Array): Uint8Array {
  const key = new Uint8Array(head.length + name.length);
  key.set(head, 0);
  key.set(name, head.length);
  return key;
}

/** Key of a record's entry in the expiry index. */
export function expiryKey(head: Uint8Array, expiresAt: number, name: Uint8Array): Uint8Array {
  const key = new Uint8Array(head.length + EXPIRY_NAME_AT + name.length);
  key.set(head, 0);
  setOrdered(key, head.length, expiresAt);
  key.set(name, head.length + EXPIRY_NAME_AT);
  return key;
}
