import { Reader, type Writer } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import {
  blankCommand,
  type Command,
  commandFault,
  type EntryHead,
  isRefused,
  Op,
  readBatchHead,
  readCommand,
  Status,
  sessionLimits,
  sessionOpenedAt,
  shardOf,
  writeElsewhere,
  writeRefused,
  writeStatus,
  writeWait,
} from '@flotilla/wire';
import type { Executor } from './executor.ts';
import { writeOutcome } from './outcome.ts';
import type { SessionRow } from './session-row.ts';
import { mixSession, type SessionTable } from './session-table.ts';
import { type Shard, ShardState } from './shard.ts';
import type { ShardTable } from './shard-table.ts';

const NOT_READY_RETRY_MS = 10;
const THROTTLED_RETRY_MS = 100;
const TOO_MANY_SESSIONS_RETRY_MS = 1000;

/** Answers for a shard that is not served here at the epoch that the client believes in. */
export function writeNotHere(out: Writer, gid: number, shard: Shard | undefined): void {
  switch (shard?.state) {
    case ShardState.importing:
      // No redirect back: the source will refuse, or has already.
      writeWait(out, Status.notReady, NOT_READY_RETRY_MS);
      return;
    case ShardState.frozen:
      writeElsewhere(out, Status.moved, shard.hintGid, shard.hintEpoch);
      return;
    case ShardState.serving:
      writeElsewhere(out, Status.wrongGroup, gid, shard.epoch);
      return;
    default:
      writeElsewhere(out, Status.wrongGroup, shard?.hintGid ?? 0, shard?.hintEpoch ?? 0);
  }
}

export function noSuchShard(number: number, shardCount: number): string {
  return `shard ${number} of a cluster that has ${shardCount}`;
}

/**
 * Applies the commands of one client batch, one by one, each on the state that the one before it left:
 * ownership, then limits, then the session's checks, then conditions and change. Everything up to the
 * execution changes nothing and speaks of this attempt only.
 */
export class BatchApplier {
  readonly #gid: number;
  readonly #shards: ShardTable;
  readonly #sessions: SessionTable;
  readonly #executor: Executor;
  readonly #hasher: Hasher;
  readonly #command: Command = blankCommand();
  /** Of the batch that is being applied. */
  #session: Uint8Array = new Uint8Array(0);
  #sessionMix = 0;
  #openedAt = 0;
  #floor = 0;

  constructor(gid: number, shards: ShardTable, sessions: SessionTable, executor: Executor, hasher: Hasher) {
    this.#hasher = hasher;
    this.#gid = gid;
    this.#shards = shards;
    this.#sessions = sessions;
    this.#executor = executor;
  }

  /** The entry must be walkable. `stamp`: the highest applied, this entry's included. */
  apply(entry: Uint8Array, head: EntryHead, stamp: number, out: Writer | undefined): void {
    const from = new Reader(entry, head.bodyAt);
    const { session, floor } = readBatchHead(from);
    this.#session = session;
    this.#sessionMix = mixSession(session);
    this.#openedAt = sessionOpenedAt(session);
    this.#floor = floor;
    for (let at = 0; at < head.count; at++) {
      readCommand(from, this.#command);
      this.#apply(stamp, isRefused(entry, head, at), out);
    }
  }

  #apply(stamp: number, refused: boolean, out: Writer | undefined): void {
    const command = this.#command;
    const { shardCount } = this.#shards;
    if (command.shard >= shardCount) {
      if (out !== undefined) writeRefused(out, noSuchShard(command.shard, shardCount));
      return;
    }
    const shard = this.#shards.get(command.shard);
    if (shard?.state !== ShardState.serving || shard.epoch !== command.epoch) {
      if (out !== undefined) writeNotHere(out, this.#gid, shard);
      return;
    }
    const fault = commandFault(command);
    if (fault !== undefined || refused) {
      if (out !== undefined) this.#writeRefusal(fault, out);
      return;
    }
    shard.operations++;
    shard.trafficBytes += command.key.length + command.value.length;
    const now = Math.max(stamp, shard.timeFloor);
    this.#applyInSession(shard, now, out);
  }

  /**
   * The leader marks what it must not propose in one bit. Why follows from the command: what has no fault and
   * is at its place here was marked because the shard's writers are to slow down.
   */
  #writeRefusal(fault: string | undefined, out: Writer): void {
    const { shard, op, key } = this.#command;
    if (fault !== undefined) {
      writeRefused(out, fault);
    } else if (op === Op.deleteRange || shardOf(key, this.#shards.shardCount, this.#hasher) === shard) {
      writeWait(out, Status.throttled, THROTTLED_RETRY_MS);
    } else {
      writeRefused(out, `its key does not belong to shard ${shard}`);
    }
  }

  /** The checks of the session protocol, in its order; only an execution changes anything. */
  #applyInSession(shard: Shard, now: number, out: Writer | undefined): void {
    const command = this.#command;
    const openedAt = this.#openedAt;
    const seq = this.#floor + command.seqOffset;
    const fits = command.seqOffset < sessionLimits.window && seq <= Number.MAX_SAFE_INTEGER;
    if (!fits || openedAt > now + sessionLimits.skewMax) {
      if (out !== undefined) writeStatus(out, Status.badSession);
      return;
    }
    if (now >= openedAt + sessionLimits.life) {
      if (out !== undefined) writeStatus(out, Status.sessionExpired);
      return;
    }
    let row: SessionRow | undefined = this.#sessions.find(shard, this.#session, this.#sessionMix);
    if (row !== undefined) {
      const kept = row.find(seq);
      if (kept !== undefined) {
        if (out !== undefined) writeOutcome(out, kept);
        return;
      }
      if (seq < row.floor) {
        if (out !== undefined) writeStatus(out, Status.belowFloor);
        return;
      }
    } else if (shard.rowCount >= sessionLimits.rowsPerShard) {
      if (out !== undefined) writeWait(out, Status.tooManySessions, TOO_MANY_SESSIONS_RETRY_MS);
      return;
    } else {
      row = this.#sessions.create(shard, this.#session, this.#sessionMix);
    }
    const executor = this.#executor;
    executor.run(shard, command, now);
    row.keep(seq, this.#floor, shard.revision, executor.outcome);
    this.#sessions.touch(row);
    if (out !== undefined) writeOutcome(out, executor.outcome);
  }
}
