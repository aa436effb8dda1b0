import { hexEncode, Reader } from '@flotilla/base';
import {
  blankCommand,
  commandFault,
  type EntryHead,
  isRefused,
  readBatchHead,
  readCommand,
  sessionLimits,
  sessionOpenedAt,
} from '@flotilla/wire';

/** What a command is judged by besides its session. */
export interface ShardView {
  /** Undefined unless the shard is served: nothing is executed then. */
  readonly epoch: number | undefined;
  readonly timeFloor: number;
}

interface Row {
  floor: number;
  /** Sequence numbers at or above the floor that have a result. */
  readonly kept: Set<number>;
}

/**
 * Session rows as they must be, whichever group holds them: rows belong to a shard and go where it goes. It says
 * of each entry how many of its commands are executed. A group that lost rows on the way executes more.
 */
export class SessionModel {
  /** By shard and session. */
  readonly #rows = new Map<string, Row>();
  readonly #command = blankCommand();

  /** Shards that a batch speaks of, and how many of its commands each of them executes. */
  apply(
    entry: Uint8Array,
    head: EntryHead,
    stamp: number,
    view: (shard: number) => ShardView,
  ): ReadonlyMap<number, number> {
    const from = new Reader(entry, head.bodyAt);
    const { session, floor } = readBatchHead(from);
    const name = hexEncode(session);
    const openedAt = sessionOpenedAt(session);
    const executed = new Map<number, number>();
    for (let at = 0; at < head.count; at++) {
      const command = this.#command;
      readCommand(from, command);
      const { shard, seqOffset, epoch } = command;
      const count = executed.get(shard) ?? 0;
      executed.set(shard, count);
      const { epoch: served, timeFloor } = view(shard);
      if (served !== epoch || commandFault(command) !== undefined || isRefused(entry, head, at)) continue;
      const now = Math.max(stamp, timeFloor);
      if (seqOffset >= sessionLimits.window || openedAt > now + sessionLimits.skewMax) continue;
      if (now >= openedAt + sessionLimits.life) continue;
      if (this.#executes(`${shard} ${name}`, floor, floor + seqOffset)) executed.set(shard, count + 1);
    }
    return executed;
  }

  #executes(key: string, floor: number, seq: number): boolean {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = { floor: 0, kept: new Set() };
      this.#rows.set(key, row);
    }
    if (row.kept.has(seq) || seq < row.floor) return false;
    row.kept.add(seq);
    if (floor > row.floor) {
      row.floor = floor;
      for (const kept of row.kept) if (kept < floor) row.kept.delete(kept);
    }
    return true;
  }
}
