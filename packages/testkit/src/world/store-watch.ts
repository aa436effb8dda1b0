import { type GroupName, sameGroup } from '@flotilla/base';
import type { LogStore, LogWrite } from '@flotilla/ports';
import type { ConsensusChecker } from '../checkers/consensus.ts';
import type { ContentLedger } from '../checkers/content-ledger.ts';
import type { ReplicaWatch } from '../checkers/replica-watch.ts';
import type { Generation, StateDigests } from './state-digests.ts';

interface Watched {
  readonly group: GroupName;
  readonly watch: ReplicaWatch;
  /** The generation that the log points at. */
  generation: number;
}

/** One life of one store, as the checker of the whole world sees it. */
export class StoreWatch {
  readonly #checker: ConsensusChecker;
  readonly #contents: ContentLedger;
  readonly #store: string;
  readonly #replicas: Watched[] = [];
  #digests: StateDigests | undefined;

  constructor(checker: ConsensusChecker, contents: ContentLedger, store: string) {
    this.#checker = checker;
    this.#contents = contents;
    this.#store = store;
  }

  find(group: GroupName): ReplicaWatch | undefined {
    return this.#find(group)?.watch;
  }

  /** Before the store starts: what its disk brought through the crash. */
  opens(logStore: LogStore): void {
    for (const record of logStore.replicas()) {
      const { group, raftId, start, generation, removed } = record;
      const watch = this.#checker.replica(this.#store, group, raftId);
      const { first, last } = logStore.span(group);
      const entries = last < first ? [] : logStore.entries(group, first, last + 1, Number.MAX_SAFE_INTEGER);
      watch.voters = Math.max(1, start.confState.voters.length);
      watch.reopened({ start, hardState: logStore.hardState(group), entries, removed });
      this.#replicas.push({ group, watch, generation });
    }
    const present = new Set(this.#replicas.map((replica) => replica.watch));
    for (const watch of this.#checker.replicasOn(this.#store)) if (!present.has(watch)) watch.isGone();
  }

  /** After {@link opens}: how far the surviving state is. */
  stateOpened(digests: StateDigests): void {
    this.#digests = digests;
    for (const { group, watch, generation } of this.#replicas) {
      const state = digests.find(group.gid, group.incarnation, generation);
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
          found = { group: write.group, watch, generation: write.replica.generation };
          this.#replicas.push(found);
        }
        found.generation = write.replica.generation;
      }
      found?.watch.writes(write, commit);
      if (found !== undefined && write.replica !== undefined) this.#compareInstalled(found);
    }
  }

  logSynced(commit: number): void {
    for (const { watch } of this.#replicas) watch.synced(commit);
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
    if (state.appliedIndex === undefined || state.appliedIndex === 0) return;
    const { high, low } = state.digest();
    this.#checker
      .group({ gid: state.gid, incarnation: state.incarnation })
      .isAt(watch, state.appliedIndex, high, low);
    for (const { shard, names, sum } of state.takeContents()) {
      this.#contents.isAt(watch.name, shard, names.revision, sum.high, sum.low);
    }
  }

  #find(group: GroupName): Watched | undefined {
    for (const replica of this.#replicas) if (sameGroup(replica.group, group)) return replica;
    return undefined;
  }
}
