import {
  assert,
  CorruptionError,
  type Entry,
  type GroupName,
  groupNameText,
  type HardState,
  must,
} from '@flotilla/base';
import type { LogStore, LogWrite, ReplicaRecord } from '@flotilla/ports';
import { GroupMap } from './group-map.ts';
import { MemoryCommits, type MemoryWorld } from './memory-commits.ts';
import { MemoryLogGroup } from './memory-log-group.ts';

/**
 * Log store for simulations: what reads see (`applied`) and what a power cut leaves (`durable`) are two
 * values, and the distance between them is the list of pending commits.
 */
export class MemoryLogStore implements LogStore {
  readonly #world: MemoryWorld;
  readonly #commits: MemoryCommits;
  readonly #applied = new GroupMap<MemoryLogGroup>();
  readonly #durable = new GroupMap<MemoryLogGroup>();

  constructor(world: MemoryWorld) {
    this.#world = world;
    this.#commits = new MemoryCommits(world);
  }

  replicas(): readonly ReplicaRecord[] {
    this.#commits.assertAlive();
    return [...this.#applied.values()].map((group) => group.record);
  }

  damaged(): readonly GroupName[] {
    return [...this.#applied.values()].flatMap((group) =>
      group.damaged === 'all' ? [group.record.group] : [],
    );
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
      () => `${groupNameText(group)}: entries [${lo}, ${hi}) are not all in ${log.first}..${log.last}`,
    );
    if (typeof log.damaged === 'number' && log.damaged >= lo && log.damaged < hi) throw damage(log);
    const begin = lo - log.first;
    const limit = hi - log.first;
    let end = begin;
    for (let bytes = 0; end < limit; end++) {
      bytes += must(log.entries[end], 'an entry').data.length;
      if (bytes > bytesMax && end > begin) break;
    }
    return log.entries.slice(begin, end);
  }

  commit(writes: readonly LogWrite[], done: (failure: Error | undefined) => void): void {
    this.#commits.assertAlive();
    for (const { group, replica } of writes) {
      const log = this.#applied.get(group);
      if (log?.damaged === 'all' && replica === undefined) throw damage(log);
    }
    for (const write of writes) applyWrite(this.#applied, write);
    this.#commits.push(() => {
      for (const write of writes) applyWrite(this.#durable, write);
    }, done);
  }

  bytes(group: GroupName): number {
    return this.#applied.get(group)?.bytes ?? 0;
  }

  // What only the simulator calls.

  get pendingCommits(): number {
    return this.#commits.pendingCount;
  }

  /** The process dies, the machine stays up: everything handed to `commit` survives, no callback comes. */
  crash(): MemoryLogStore {
    return this.powerCut((pending) => pending);
  }

  /** The machine dies: of the pending commits the first `keep(count)` survive, in order, the others do not. */
  powerCut(keep: (pendingCount: number) => number): MemoryLogStore {
    this.#commits.die(keep(this.#commits.pendingCount));
    const next = new MemoryLogStore(this.#world);
    for (const group of this.#durable.values()) {
      next.#applied.add(group.record.group, group.copy());
      next.#durable.add(group.record.group, group);
    }
    return next;
  }

  failNextCommit(failure: Error = new Error('injected: input/output error')): void {
    this.#commits.failNext(failure);
  }

  stall(): void {
    this.#commits.stall();
  }

  resume(): void {
    this.#commits.resume();
  }

  /**
   * Flips a bit: in the entry at `index`, which the next read of it or the next start notices, or where it makes
   * the whole log of the group unreadable at once.
   */
  corrupt(group: GroupName, index?: number): void {
    for (const level of [this.#applied, this.#durable]) {
      const log = level.get(group);
      if (log !== undefined) log.damaged = index ?? 'all';
    }
  }

  #readable(group: GroupName): MemoryLogGroup | undefined {
    this.#commits.assertAlive();
    const log = this.#applied.get(group);
    if (log?.damaged === 'all') throw damage(log);
    return log;
  }
}

function applyWrite(groups: GroupMap<MemoryLogGroup>, write: LogWrite): void {
  let log = groups.get(write.group);
  if (log === undefined) {
    const record = must(
      write.replica,
      () => `group ${groupNameText(write.group)} must begin with a replica record`,
    );
    log = new MemoryLogGroup({ ...record, raftId: 0, removed: false });
    groups.add(write.group, log);
  }
  log.apply(write);
}

function damage(log: MemoryLogGroup): CorruptionError {
  const name = groupNameText(log.record.group);
  return new CorruptionError(`log of group ${name}: a checksum does not fit (injected)`, { group: name });
}
