import { compareBytes, type GroupName, groupNameText, sameGroup } from '@flotilla/base';
import type { LogStore, LogWrite } from '@flotilla/ports';
import type { ConsensusChecker } from '../checkers/consensus.ts';
import type { ContentLedger } from '../checkers/content-ledger.ts';
import type { ReplicaWatch } from '../checkers/replica-watch.ts';
import { DiskLosses } from './disk-losses.ts';
import type { Generation, StateDigests } from './state-digests.ts';
import { hostRecordKey } from './state-keys.ts';

interface Watched {
  readonly group: GroupName;
  readonly watch: ReplicaWatch;
  /** The generation that the log points at. */
  generation: number;
  /** The one that it points at after a crash; undefined while the replica is not durable, and behind its tombstone. */
  durable: number | undefined;
  /** Pointers that are not durable yet. */
  readonly moved: { readonly commit: number; readonly to: number | undefined }[];
}

/** One life of one store, as the checker of the whole world sees it. */
export class StoreWatch {
  readonly #checker: ConsensusChecker;
  readonly #contents: ContentLedger;
  readonly #store: string;
  readonly #replicas: Watched[] = [];
  readonly #losses: DiskLosses;
  #digests: StateDigests | undefined;

  constructor(
    checker: ConsensusChecker,
    contents: ContentLedger,
    store: string,
    losses: DiskLosses = new DiskLosses(),
  ) {
    this.#checker = checker;
    this.#contents = contents;
    this.#store = store;
    this.#losses = losses;
  }

  find(group: GroupName): ReplicaWatch | undefined {
    return this.#find(group)?.watch;
  }

  /** Before the store starts: what its disk brought through the crash. */
  opens(logStore: LogStore): void {
    const damaged = logStore.damaged();
    for (const record of logStore.replicas()) {
      // It takes part in nothing any more.
      if (damaged.some((group) => sameGroup(group, record.group))) continue;
      const { group, raftId, start, generation, removed } = record;
      const watch = this.#checker.replica(this.#store, group, raftId);
      const { first, last } = logStore.span(group);
      const entries = last < first ? [] : logStore.entries(group, first, last + 1, Number.MAX_SAFE_INTEGER);
      watch.voters = Math.max(1, start.confState.voters.length);
      watch.reopened({ start, hardState: logStore.hardState(group), entries, removed });
      this.#replicas.push({ group, watch, generation, durable: removed ? undefined : generation, moved: [] });
    }
    const present = new Set(this.#replicas.map((replica) => replica.watch));
    for (const watch of this.#checker.replicasOn(this.#store)) {
      if (present.has(watch)) continue;
      if (this.#losses.hasLost(watch.groupName)) watch.isLost();
      else watch.isGone();
    }
  }

  /** After {@link opens}: how far the surviving state is. */
  stateOpened(digests: StateDigests): void {
    this.#digests = digests;
    for (const { group, watch, generation } of this.#replicas) {
      const state = digests.find(group.gid, group.incarnation, generation);
      if (this.#losses.hasLost(groupNameText(group))) watch.stateIsLost();
      watch.restartsFrom(state?.appliedIndex ?? 0);
      if (state !== undefined) this.#compare(watch, state);
    }
    digests.takeDirty();
  }

  logWrites(writes: readonly LogWrite[], commit: number): void {
    for (const write of writes) {
      let found = this.#find(write.group);
      if (write.replica !== undefined) {
        if (found === undefined) {
          const watch = this.#checker.replica(this.#store, write.group, write.replica.raftId);
          const { generation } = write.replica;
          found = { group: write.group, watch, generation, durable: undefined, moved: [] };
          this.#replicas.push(found);
        }
        found.generation = write.replica.generation;
        found.moved.push({ commit, to: write.replica.removed ? undefined : found.generation });
      }
      found?.watch.writes(write, commit);
      if (found !== undefined && write.replica !== undefined) this.#compareInstalled(found);
    }
  }

  logSynced(commit: number): void {
    for (const found of this.#replicas) {
      found.watch.synced(commit);
      while (found.moved[0] !== undefined && found.moved[0].commit <= commit) {
        found.durable = found.moved.shift()?.to;
      }
    }
  }

  /** The store gives up this range of its state: a crash must not bring back a log that points into it. */
  stateReleases(from: Uint8Array, to: Uint8Array): void {
    for (const { group, watch, durable } of this.#replicas) {
      if (durable === undefined) continue;
      const record = hostRecordKey(group, durable);
      if (compareBytes(record, from) < 0 || compareBytes(record, to) >= 0) continue;
      this.#checker
        .group(group)
        .fail('durability', `${watch.name} gives up its state of generation ${durable}, which its log needs`);
    }
  }

  /** Compares what is in the transaction; the returned function says that it became durable. */
  stateCommits(digests: StateDigests): () => void {
    const applied: [ReplicaWatch, number][] = [];
    for (const state of digests.takeDirty()) {
      const found = this.#find(state);
      if (found === undefined || found.generation !== state.generation || state.appliedIndex === undefined)
        continue;
      this.#compare(found.watch, state);
      applied.push([found.watch, state.appliedIndex]);
    }
    return () => {
      for (const [watch, index] of applied) watch.stateSynced(index);
    };
  }

  /** The state that the log points at from now on must be the one that others had at that index. */
  #compareInstalled({ group, watch, generation }: Watched): void {
    const state = this.#digests?.find(group.gid, group.incarnation, generation);
    if (state !== undefined) this.#compare(watch, state);
  }

  #compare(watch: ReplicaWatch, state: Generation): void {
    if (state.appliedIndex === undefined || state.appliedIndex === 0 || state.isBroken) return;
    const { high, low } = state.digest();
    watch.group.isAt(watch, state.appliedIndex, high, low);
    for (const { shard, names, sum } of state.takeContents()) {
      this.#contents.isAt(watch.name, shard, names.revision, sum.high, sum.low);
    }
  }

  #find(group: GroupName): Watched | undefined {
    for (const replica of this.#replicas) if (sameGroup(replica.group, group)) return replica;
    return undefined;
  }
}
