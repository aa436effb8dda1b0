import type { StoreId } from '@flotilla/base';
import type { TimerId } from '@flotilla/ports';
import { type GroupRecord, ReadLevel } from '@flotilla/wire';
import type { Trouble } from './failure.ts';
import { Fifo } from './fifo.ts';
import type { Operation } from './operation.ts';

/**
 * What waits for one group. Writes, linearizable reads and each other kind of read have a lane of their own,
 * because one frame holds one kind and goes to one store.
 */

export const WRITE_LANE = 0;

const FORGET_SEARCH_MS = 3_000;

export class Lane {
  readonly group: Group;
  readonly level: ReadLevel;
  readonly maxAgeMs: number;
  readonly isWrite: boolean;
  /** Only the leader can serve it. */
  readonly needsLeader: boolean;
  /** Sent before: first in line, since the floor of their session waits for them. */
  readonly again: Fifo<Operation> = new Fifo();
  readonly fresh: Fifo<Operation> = new Fifo();
  batchesInFlight = 0;
  /** Nothing is sent before. */
  pausedUntilMs = 0;
  timer: TimerId | undefined;
  /** Refusals for overload in a row. */
  overloads = 0;
  /** Which replica serves a lane that needs no leader, and how many in a row could not. */
  turn: number;
  misses = 0;
  /** Why nothing is sent just now; for the message of an operation that runs out of time. */
  trouble: Trouble | undefined;
  /** Some of what waits here is on a detour. */
  hasGuests = false;
  /** Version of the routes under which everything here was seen to belong here. */
  sortedVersion = 0;

  constructor(group: Group, isWrite: boolean, level: ReadLevel, maxAgeMs: number) {
    this.group = group;
    this.isWrite = isWrite;
    this.level = level;
    this.maxAgeMs = maxAgeMs;
    this.turn = group.turn;
    this.needsLeader = isWrite || level === ReadLevel.linearizable;
  }

  get length(): number {
    return this.again.length + this.fresh.length;
  }

  peek(): Operation | undefined {
    return this.again.length > 0 ? this.again.peek() : this.fresh.peek();
  }

  shift(): Operation | undefined {
    return this.again.length > 0 ? this.again.shift() : this.fresh.shift();
  }
}

export class Group {
  readonly gid: number;
  incarnation: number;
  replicas: readonly StoreId[];
  /** Who leads, as far as known. */
  leader: StoreId | undefined;
  /** The leader answered as such; until then only small batches go out, one at a time. */
  confirmed = false;
  /** Which replica is asked next without a hint. */
  turn: number;
  /** Attempts in a row that met no leader. */
  misses = 0;
  /** Since when the leader is sought; undefined while one is known to answer. */
  seekingSinceMs: number | undefined;
  /** When the targets of its moves may be tried again. */
  detourAtMs = 0;
  #missedMs = 0;
  readonly lanes: Map<number, Lane> = new Map();

  constructor(record: GroupRecord, turn: number) {
    this.gid = record.gid;
    this.incarnation = record.incarnation;
    this.replicas = record.replicas.map((replica) => replica.storeId);
    this.turn = turn;
  }

  update(record: GroupRecord): void {
    this.replicas = record.replicas.map((replica) => replica.storeId);
    const isSame = record.incarnation === this.incarnation;
    this.incarnation = record.incarnation;
    if (!isSame || (this.leader !== undefined && !this.replicas.includes(this.leader))) this.forgetLeader();
  }

  forgetLeader(): void {
    this.leader = undefined;
    this.confirmed = false;
  }

  /** Nobody led just now; says for how long that has been so. A search that was dropped long ago is over. */
  noteMiss(nowMs: number): number {
    if (this.seekingSinceMs === undefined || nowMs - this.#missedMs > FORGET_SEARCH_MS)
      this.seekingSinceMs = nowMs;
    this.#missedMs = nowMs;
    return nowMs - this.seekingSinceMs;
  }

  confirmLeader(storeId: StoreId | undefined): void {
    this.leader = storeId;
    this.confirmed = true;
    this.misses = 0;
    this.seekingSinceMs = undefined;
  }

  writeLane(): Lane {
    return this.#lane(WRITE_LANE, true, ReadLevel.linearizable, 0);
  }

  readLane(level: ReadLevel, maxAgeMs: number): Lane {
    return this.#lane(1 + level + 4 * maxAgeMs, false, level, maxAgeMs);
  }

  #lane(number: number, isWrite: boolean, level: ReadLevel, maxAgeMs: number): Lane {
    let lane = this.lanes.get(number);
    if (lane === undefined) {
      // Callers choose the largest age, so there may be any number of lanes; idle ones go.
      if (this.lanes.size > 16) this.#dropIdleLanes();
      lane = new Lane(this, isWrite, level, maxAgeMs);
      this.lanes.set(number, lane);
    }
    return lane;
  }

  #dropIdleLanes(): void {
    for (const [number, lane] of this.lanes) {
      const isIdle = lane.length === 0 && lane.batchesInFlight === 0 && lane.timer === undefined;
      if (isIdle && !lane.needsLeader) this.lanes.delete(number);
    }
  }
}
