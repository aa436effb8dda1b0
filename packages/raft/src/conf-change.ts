import { DecodeError, EMPTY_BYTES, type RaftId, Reader, Writer } from '@flotilla/base';

/**
 * A proposed change of membership, and its bytes as the data of an entry.
 *
 * `auto` takes the simple way where one step is safe (at most one operation) and joint consensus otherwise;
 * without operations it leaves a joint configuration. `joint-implicit` always goes through a joint
 * configuration that the leader leaves by itself, `joint-explicit` through one that waits for a second change.
 */
export type ConfChangeTransition = 'auto' | 'joint-implicit' | 'joint-explicit';
export type ConfChangeKind = 'add-voter' | 'add-learner' | 'remove' | 'update';

export interface ConfChangeSingle {
  readonly kind: ConfChangeKind;
  readonly id: RaftId;
}

export interface ConfChange {
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  /** Opaque bytes for whoever applies the change. */
  readonly context: Uint8Array;
}

/** Leaves a joint configuration. */
export const LEAVE_JOINT: ConfChange = { transition: 'auto', changes: [], context: EMPTY_BYTES };

// Part of the log format: numbers are positions in these lists and never change.
const TRANSITIONS: readonly ConfChangeTransition[] = ['auto', 'joint-implicit', 'joint-explicit'];
const KINDS: readonly ConfChangeKind[] = ['add-voter', 'remove', 'update', 'add-learner'];
const FORMAT = 1;
const CHANGES_MAX = 256;
const CONTEXT_BYTES_MAX = 1 << 20;

export function isLeaveJoint(change: ConfChange): boolean {
  return change.transition === 'auto' && change.changes.length === 0;
}

/** True if the change goes through a joint configuration. */
export function entersJoint(change: ConfChange): boolean {
  return change.transition !== 'auto' || change.changes.length > 1;
}

/** Why a change does not fit into an entry that every replica can read; undefined if it does. */
export function confChangeProblem(change: ConfChange): string | undefined {
  if (change.changes.length > CHANGES_MAX) return `${change.changes.length} operations in one conf change`;
  if (change.context.length > CONTEXT_BYTES_MAX) return `a context of ${change.context.length} bytes`;
  for (const { id } of change.changes) {
    if (!Number.isSafeInteger(id) || id < 0) return `${id} is not a raft id`;
  }
  return undefined;
}

/** Entry data of the change. Leaving a joint configuration, which leaders do by themselves, is no bytes at all. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  if (isLeaveJoint(change) && change.context.length === 0) return EMPTY_BYTES;
  const out = new Writer(8 + change.changes.length * 9 + change.context.length);
  out.u8(FORMAT);
  out.u8(TRANSITIONS.indexOf(change.transition));
  out.u16(change.changes.length);
  for (const single of change.changes) {
    out.u8(KINDS.indexOf(single.kind));
    out.u53(single.id);
  }
  out.bytes32(change.context);
  return out.finish();
}

/** The change in an entry's data; throws {@link DecodeError} for anything else. */
export function decodeConfChange(data: Uint8Array): ConfChange {
  if (data.length === 0) return LEAVE_JOINT;
  const from = new Reader(data);
  const format = from.u8();
  if (format !== FORMAT) throw new DecodeError(`conf change format ${format} is not known`, { format });
  const transition = nameOf(TRANSITIONS, from.u8(), 'transition');
  const count = from.u16();
  if (count > CHANGES_MAX) throw new DecodeError(`${count} operations in one conf change`, { count });
  const changes: ConfChangeSingle[] = [];
  for (let at = 0; at < count; at++) {
    const kind = nameOf(KINDS, from.u8(), 'operation');
    changes.push({ kind, id: from.u53() });
  }
  const context = from.bytes32(CONTEXT_BYTES_MAX);
  from.expectEnd();
  return { transition, changes, context };
}

function nameOf<Name>(names: readonly Name[], code: number, what: string): Name {
  const name = names[code];
  if (name === undefined) throw new DecodeError(`conf change ${what} ${code} is not known`, { code });
  return name;
}
