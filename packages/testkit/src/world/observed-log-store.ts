import type { Entry, GroupName, HardState } from '@flotilla/base';
import type { LogStore, LogWrite, ReplicaRecord, Timers } from '@flotilla/ports';
import { type ProcessGate, ReadFailure } from './process-gate.ts';
import type { StoreWatch } from './store-watch.ts';

/** A log store that tells the checker what is written and what became durable. */
export class ObservedLogStore implements LogStore {
  readonly #inner: LogStore;
  readonly #watch: StoreWatch;
  readonly #gate: ProcessGate;
  readonly #liar: Timers | undefined;
  #commits = 0;
  #failsNextRead = false;

  /** `liar`: sabotage, commits are called durable before they are. */
  constructor(inner: LogStore, watch: StoreWatch, gate: ProcessGate, liar?: Timers) {
    this.#inner = inner;
    this.#watch = watch;
    this.#gate = gate;
    this.#liar = liar;
  }

  commit(writes: readonly LogWrite[], done: (failure: Error | undefined) => void): void {
    const commit = ++this.#commits;
    this.#watch.logWrites(writes, commit);
    this.#inner.commit(writes, (failure) => {
      if (failure === undefined) this.#watch.logSynced(commit);
      if (this.#liar === undefined) this.#gate.enter(() => done(failure));
    });
    this.#liar?.soon(() => done(undefined));
  }

  replicas(): readonly ReplicaRecord[] {
    return this.#inner.replicas();
  }

  damaged(): readonly GroupName[] {
    return this.#inner.damaged();
  }

  failNextRead(): void {
    this.#failsNextRead = true;
  }

  hardState(group: GroupName): HardState | undefined {
    return this.#inner.hardState(group);
  }

  span(group: GroupName): { readonly first: number; readonly last: number } {
    return this.#inner.span(group);
  }

  term(group: GroupName, index: number): number | undefined {
    return this.#inner.term(group, index);
  }

  entries(group: GroupName, lo: number, hi: number, bytesMax: number): readonly Entry[] {
    if (this.#failsNextRead) throw new ReadFailure('injected: entries cannot be read');
    return this.#inner.entries(group, lo, hi, bytesMax);
  }

  bytes(group: GroupName): number {
    return this.#inner.bytes(group);
  }
}
