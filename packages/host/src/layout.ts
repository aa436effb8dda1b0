import {
  type ConfState,
  CorruptionError,
  EMPTY_BYTES,
  type GroupName,
  putU32Big,
  putU53,
  putU53Big,
  Reader,
  u32BigAt,
  Writer,
} from '@flotilla/base';
import {
  type ReplicaPlace,
  readConfState,
  readReplicas,
  writeConfState,
  writeReplicas,
} from '@flotilla/wire';

/**
 * Where a replica's state lies in the state store: gid u32, group incarnation u64, generation u32 (big
 * endian), then an area: the host's own record, or the state machine's keys. A group snapshot copies the
 * whole range of one generation, so no value may hold the prefix.
 */

export const PREFIX_BYTES = 16;
/** Keys of a replica behind the prefix: what any state store takes, and more than any state machine needs. */
export const SUFFIX_BYTES_MAX = 1_536;
const AREA_META = 0;
const AREA_MACHINE = 1;

export function groupPrefix(group: GroupName): Uint8Array {
  const prefix = new Uint8Array(12);
  putU32Big(prefix, 0, group.gid);
  putU53Big(prefix, 4, group.incarnation);
  return prefix;
}

export function generationPrefix(group: GroupName, generation: number): Uint8Array {
  const prefix = new Uint8Array(PREFIX_BYTES);
  prefix.set(groupPrefix(group));
  putU32Big(prefix, 12, generation);
  return prefix;
}

/** Generation in a key of the state store. */
export function generationOf(key: Uint8Array): number {
  return u32BigAt(key, 12);
}

export function metaKey(group: GroupName, generation: number): Uint8Array {
  return withArea(group, generation, AREA_META);
}

/** Says why the state of this generation must not be used any more. */
export function brokenKey(group: GroupName, generation: number): Uint8Array {
  return Uint8Array.of(...metaKey(group, generation), 1);
}

export function machinePrefix(group: GroupName, generation: number): Uint8Array {
  return withArea(group, generation, AREA_MACHINE);
}

function withArea(group: GroupName, generation: number, area: number): Uint8Array {
  const key = new Uint8Array(PREFIX_BYTES + 1);
  key.set(generationPrefix(group, generation));
  key[PREFIX_BYTES] = area;
  return key;
}

/** The host's record of a replica's state: becomes durable in one transaction with what was applied. */
export interface ReplicaMeta {
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly confState: ConfState;
  /** Which store holds which raft id; covers every id of the configuration. */
  readonly members: readonly ReplicaPlace[];
}

const META_FORMAT = 1;

/** Where configuration and members begin in a record: after format, index and term. */
const META_HEAD_BYTES = 17;

/** Encodes the records of one replica: who belongs to it changes rarely, and the record is written all the time. */
export class MetaEncoder {
  #confState: ConfState | undefined;
  #members: readonly ReplicaPlace[] | undefined;
  #membership: Uint8Array = EMPTY_BYTES;

  encode({ appliedIndex, appliedTerm, confState, members }: ReplicaMeta): Uint8Array {
    if (confState !== this.#confState || members !== this.#members) {
      const out = new Writer(128);
      writeConfState(out, confState);
      writeReplicas(out, members);
      this.#membership = out.finish();
      this.#confState = confState;
      this.#members = members;
    }
    const record = new Uint8Array(META_HEAD_BYTES + this.#membership.length);
    record[0] = META_FORMAT;
    putU53(record, 1, appliedIndex);
    putU53(record, 9, appliedTerm);
    record.set(this.#membership, META_HEAD_BYTES);
    return record;
  }
}

export function decodeMeta(bytes: Uint8Array): ReplicaMeta {
  const from = new Reader(bytes);
  const format = from.u8();
  if (format !== META_FORMAT) {
    throw new CorruptionError(`the record of a replica has format ${format}: a newer version wrote it`);
  }
  return {
    appliedIndex: from.u53(),
    appliedTerm: from.u53(),
    confState: readConfState(from),
    members: readReplicas(from),
  };
}
