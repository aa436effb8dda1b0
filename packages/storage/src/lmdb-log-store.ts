import {
  assert,
  CorruptionError,
  type Entry,
  type GroupName,
  groupNameText,
  type HardState,
  must,
} from '@flotilla/base';
import type { Hasher, LogStore, LogWrite, ReplicaRecord, TimerId, Timers } from '@flotilla/ports';
import { Arena } from './arena.ts';
import type { GroupMap } from './group-map.ts';
import { logPace, storageTuning } from './limits.ts';
import { type LmdbEnvironment, type LmdbTable, plain } from './lmdb-environment.ts';
import { LmdbLogGroup, type LogPlan } from './lmdb-log-group.ts';
import { LmdbWriter } from './lmdb-writer.ts';
import {
  decodeRun,
  encodeHardState,
  encodeReplica,
  encodeRun,
  GROUP_KEY_BYTES,
  type RunHead,
  runKey,
} from './log-format.ts';
import { type AbandonedRun, recoverLogs } from './log-recovery.ts';

interface LogWork {
  readonly puts: number;
  readonly bytes: number;
  readonly done: (failure: Error | undefined) => void;
  readonly operations: readonly Operation[];
  readonly abandoned: readonly AbandonedRun[];
  readonly groups: readonly LmdbLogGroup[];
}

/** One put, or a delete without a value. For runs `epoch` is their epoch; for other tables it is unused. */
interface Operation {
  readonly table: LmdbTable;
  readonly group: Uint8Array;
  readonly epoch: number;
  readonly first: number;
  readonly value: Uint8Array | undefined;
}

export interface LmdbLogOptions {
  readonly timers: Timers;
  readonly hasher: Hasher;
  /** Commits are refused as a fault of the caller while this says false. */
  readonly ready?: () => boolean;
  /** False while the disk has better use for its space than room ahead of the file. */
  readonly mayGrow?: () => boolean;
  readonly cacheBytesMax?: number;
}

/**
 * Logs of all groups in one LMDB environment. Memory holds an index of every log and the recent entries, so
 * that only followers far behind are served from the disk. Hard states and replica records have tables of
 * their own: side by side they fill few pages, and each commit of many groups rewrites all of them.
 */
export class LmdbLogStore implements LogStore {
  readonly #environment: LmdbEnvironment;
  readonly #hasher: Hasher;
  readonly #timers: Timers;
  readonly #runs: LmdbTable;
  readonly #hardStates: LmdbTable;
  readonly #replicas: LmdbTable;
  readonly #groups: GroupMap<LmdbLogGroup>;
  readonly #writer: LmdbWriter<LogWork>;
  readonly #arena = new Arena();
  readonly #cacheBytesMax: number;
  #cacheBytes = 0;
  /** Groups with cached entries; the one that was appended to least recently comes first. */
  readonly #recent = new Set<LmdbLogGroup>();
  /** Left-over runs whose abandonment is part of a written transaction. */
  #garbage: AbandonedRun[];
  #garbageTimer: TimerId | undefined;

  constructor(environment: LmdbEnvironment, meta: LmdbTable, options: LmdbLogOptions) {
    this.#environment = environment;
    this.#hasher = options.hasher;
    this.#timers = options.timers;
    this.#cacheBytesMax = options.cacheBytesMax ?? storageTuning.entryCacheBytesMax;
    this.#runs = environment.table('runs');
    this.#hardStates = environment.table('hard');
    this.#replicas = environment.table('replicas');
    const recovered = recoverLogs(this.#hasher, {
      replicas: this.#replicas,
      hardStates: this.#hardStates,
      runs: this.#runs,
    });
    this.#groups = recovered.groups;
    this.#garbage = recovered.garbage;
    this.#writer = new LmdbWriter(
      environment,
      meta,
      {
        write: (works) => {
          this.#write(works);
          return undefined;
        },
        durable: (works) => this.#durable(works),
        writeBackground: () => {
          this.#collect();
          return undefined;
        },
      },
      {
        timers: options.timers,
        pace: logPace,
        sliced: false,
        ready: options.ready,
        mayGrow: options.mayGrow,
      },
    );
    this.#collectLater();
  }

  replicas(): readonly ReplicaRecord[] {
    return [...this.#groups.values()].flatMap((group) => (group.record.raftId === 0 ? [] : [group.record]));
  }

  damaged(): readonly GroupName[] {
    return [...this.#groups.values()].flatMap((group) => (group.damage === undefined ? [] : [group.name]));
  }

  hardState(group: GroupName): HardState | undefined {
    return this.#readable(group)?.hardState;
  }

  span(group: GroupName): { readonly first: number; readonly last: number } {
    const log = this.#readable(group);
    return log === undefined ? { first: 1, last: 0 } : { first: log.first, last: log.last };
  }

  term(group: GroupName, index: number): number | undefined {
    return this.#readable(group)?.term(index);
  }

  entries(group: GroupName, lo: number, hi: number, bytesMax: number): readonly Entry[] {
    if (lo === hi) return [];
    const log = must(this.#readable(group), () => `no log of group ${groupNameText(group)}`);
    assert(
      lo >= log.first && lo < hi && hi <= log.last + 1,
      () => `${log.text}: entries [${lo}, ${hi}) are not all in ${log.first}..${log.last}`,
    );
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = lo; index < hi; ) {
      const cached = index >= log.cache.first;
      const source = cached ? log.cache.entries : this.#readRun(log, log.runOf(index));
      const offset = cached ? log.cache.first : log.runOf(index);
      for (let at = index - offset; at < source.length && index < hi; at++) {
        const entry = must(source[at], 'an entry');
        bytes += entry.data.length;
        if (bytes > bytesMax && found.length > 0) return found;
        found.push(entry);
        index++;
      }
    }
    return found;
  }

  commit(writes: readonly LogWrite[], done: (failure: Error | undefined) => void): void {
    for (const { group, replica } of writes) {
      const damage = this.#groups.get(group)?.damage;
      if (damage !== undefined && replica === undefined) throw damage;
    }
    const plan = new Plan(this.#hasher, this.#arena, this.#tables(), (group, first) =>
      this.#readRun(group, first),
    );
    for (const write of writes) {
      const log = this.#groups.get(write.group) ?? this.#create(write);
      const before = log.cache.bytes;
      log.apply(write, plan);
      plan.groups.push(log);
      this.#cacheBytes += log.cache.bytes - before;
      if (write.entries !== undefined) {
        this.#recent.delete(log);
        this.#recent.add(log);
      }
    }
    this.#writer.submit({
      puts: plan.operations.length,
      bytes: plan.bytes,
      done,
      operations: plan.operations,
      abandoned: plan.abandoned,
      groups: plan.groups,
    });
  }

  bytes(group: GroupName): number {
    return this.#groups.get(group)?.payloadBytes ?? 0;
  }

  /** Bytes of entries in memory. */
  get cacheBytes(): number {
    return this.#cacheBytes;
  }

  /** Stored runs that nothing refers to any more and that wait for their removal. */
  get leftOverRuns(): number {
    return this.#garbage.length;
  }

  /** LMDB transactions since the environment was made. */
  get transactions(): number {
    return this.#writer.counter;
  }

  /** Writes what was committed and then closes the environment. */
  async close(): Promise<void> {
    if (this.#garbageTimer !== undefined) this.#timers.clear(this.#garbageTimer);
    await this.#writer.close();
    await this.#environment.close();
  }

  #tables(): { readonly runs: LmdbTable; readonly hardStates: LmdbTable; readonly replicas: LmdbTable } {
    return { runs: this.#runs, hardStates: this.#hardStates, replicas: this.#replicas };
  }

  #create(write: LogWrite): LmdbLogGroup {
    const record = must(
      write.replica,
      () => `group ${groupNameText(write.group)} must begin with a replica record`,
    );
    const log = new LmdbLogGroup({ ...record, raftId: 0, removed: false }, 0);
    this.#groups.add(write.group, log);
    return log;
  }

  #readable(group: GroupName): LmdbLogGroup | undefined {
    const log = this.#groups.get(group);
    if (log?.damage !== undefined) throw log.damage;
    return log;
  }

  #readRun(log: LmdbLogGroup, first: number): readonly Entry[] {
    const key = runKey(log.key, log.epoch, first);
    const bytes = this.#runs.getBinary(key);
    if (bytes === undefined) {
      throw new CorruptionError(
        `log of group ${log.text}: the entries from ${first} on were stored but are not there any more. ` +
          'The replica must not vote or answer; it is to be replaced under a new raft id',
        { group: log.text, first },
      );
    }
    return decodeRun(this.#hasher, key, plain(bytes)).entries;
  }

  /** Inside a transaction. */
  #write(works: readonly LogWork[]): void {
    for (const work of works) {
      for (const { table, group, epoch, first, value } of work.operations) {
        const key = table === this.#runs ? runKey(group, epoch, first) : group;
        if (value === undefined) table.remove(key);
        else table.put(key, value);
      }
      for (const run of work.abandoned) this.#garbage.push(run);
    }
    this.#collect();
  }

  /** Left-overs go a few at a time, with transactions that are written anyway. */
  #collect(): void {
    for (const run of this.#garbage.splice(0, storageTuning.garbageDeletesMax)) {
      this.#runs.remove(runKey(run.group, run.epoch, run.first));
    }
  }

  #durable(works: readonly LogWork[]): void {
    for (const work of works) for (const group of work.groups) group.cache.unpin();
    this.#evict();
    this.#collectLater();
  }

  #evict(): void {
    if (this.#cacheBytes <= this.#cacheBytesMax) return;
    const goal = this.#cacheBytesMax * 0.75;
    for (const log of this.#recent) {
      if (this.#cacheBytes <= goal) return;
      const before = log.cache.bytes;
      log.cache.evict(this.#cacheBytes - goal);
      this.#cacheBytes += log.cache.bytes - before;
      if (log.cache.bytes === 0) this.#recent.delete(log);
    }
  }

  /** Without traffic, left-overs get transactions of their own, with pauses. */
  #collectLater(): void {
    if (this.#garbage.length === 0 || this.#garbageTimer !== undefined) return;
    this.#garbageTimer = this.#timers.set(storageTuning.garbageDelayMs, () => {
      this.#garbageTimer = undefined;
      if (this.#garbage.length === 0 || this.#writer.failure !== undefined) return;
      this.#writer.requestBackground();
      this.#collectLater();
    });
  }
}

/** Collects what one commit does to the tables. */
class Plan implements LogPlan {
  readonly operations: Operation[] = [];
  readonly abandoned: AbandonedRun[] = [];
  readonly groups: LmdbLogGroup[] = [];
  bytes = 0;
  readonly #hasher: Hasher;
  readonly #take: (bytes: number) => Uint8Array;
  readonly #tables: {
    readonly runs: LmdbTable;
    readonly hardStates: LmdbTable;
    readonly replicas: LmdbTable;
  };
  readonly #read: (group: LmdbLogGroup, first: number) => readonly Entry[];

  constructor(
    hasher: Hasher,
    arena: Arena,
    tables: { readonly runs: LmdbTable; readonly hardStates: LmdbTable; readonly replicas: LmdbTable },
    read: (group: LmdbLogGroup, first: number) => readonly Entry[],
  ) {
    this.#hasher = hasher;
    this.#take = (bytes) => arena.take(bytes);
    this.#tables = tables;
    this.#read = read;
  }

  putReplica(group: LmdbLogGroup): void {
    const value = encodeReplica(this.#hasher, group.record, group.epoch);
    this.#add(this.#tables.replicas, group, 0, 0, value);
  }

  putHardState(group: LmdbLogGroup): void {
    const { hardState } = group;
    const value =
      hardState === undefined ? undefined : encodeHardState(this.#take, this.#hasher, group.name, hardState);
    this.#add(this.#tables.hardStates, group, 0, 0, value);
  }

  putRun(group: LmdbLogGroup, head: RunHead, entries: readonly Entry[]): number {
    const value = encodeRun(this.#take, this.#hasher, group.name, head, entries);
    const sum = this.#hasher.low;
    this.#add(this.#tables.runs, group, head.epoch, head.first, value);
    return sum;
  }

  deleteRun(group: LmdbLogGroup, epoch: number, first: number): void {
    this.#add(this.#tables.runs, group, epoch, first, undefined);
  }

  abandonRun(group: LmdbLogGroup, epoch: number, first: number): void {
    this.abandoned.push({ group: group.key, epoch, first });
  }

  readRun(group: LmdbLogGroup, first: number): readonly Entry[] {
    return this.#read(group, first);
  }

  #add(
    table: LmdbTable,
    group: LmdbLogGroup,
    epoch: number,
    first: number,
    value: Uint8Array | undefined,
  ): void {
    this.operations.push({ table, group: group.key, epoch, first, value });
    this.bytes += (value?.length ?? 0) + GROUP_KEY_BYTES;
  }
}
