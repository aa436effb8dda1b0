import type { CommitUrgency, StateSnapshot, StateStore } from '@flotilla/ports';
import type { MemoryStateStore } from '@flotilla/storage';
import { type ProcessGate, ReadFailure } from './process-gate.ts';
import { StateDigests } from './state-digests.ts';
import type { StoreWatch } from './store-watch.ts';

const NOTHING = new Uint8Array(0);

/** Damage is for the store to meet: the digests are made of what was written. */
type Inner = StateStore & Pick<MemoryStateStore, 'raw'>;

/** A state store that keeps digests of what it holds and tells the checker of every commit. */
export class ObservedStateStore implements StateStore {
  readonly #inner: Inner;
  readonly #watch: StoreWatch;
  readonly #gate: ProcessGate;
  readonly #digests = new StateDigests();
  #failsNextRead = false;

  constructor(inner: Inner, watch: StoreWatch, gate: ProcessGate) {
    this.#inner = inner;
    this.#watch = watch;
    this.#gate = gate;
    // A restart goes on with what survived.
    inner.raw.scan(NOTHING, undefined, (key, value) => {
      this.#digests.change(key.slice(), undefined, value);
      return true;
    });
    watch.stateOpened(this.#digests);
  }

  failNextRead(): void {
    this.#failsNextRead = true;
  }

  #checkReadable(): void {
    if (this.#failsNextRead) throw new ReadFailure('injected: a value cannot be read');
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#digests.change(key, this.#inner.raw.get(key), value);
    this.#inner.put(key, value);
  }

  delete(key: Uint8Array): void {
    this.#digests.change(key, this.#inner.raw.get(key), undefined);
    this.#inner.delete(key);
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    this.#inner.raw.scan(from, to, (key, value) => {
      this.#digests.change(key.slice(), value, undefined);
      return true;
    });
    this.#digests.drop(from, to);
    this.#inner.deleteRange(from, to);
  }

  commit(done: (failure: Error | undefined) => void, urgency?: CommitUrgency): void {
    const synced = this.#watch.stateCommits(this.#digests);
    this.#inner.commit((failure) => {
      if (failure === undefined) synced();
      this.#gate.enter(() => done(failure));
    }, urgency);
  }

  release(from: Uint8Array, to: Uint8Array): void {
    this.#watch.stateReleases(from, to);
    this.#digests.drop(from, to);
    this.#inner.release(from, to);
  }

  snapshot(): StateSnapshot | undefined {
    return this.#inner.snapshot();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#checkReadable();
    return this.#inner.get(key);
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
    options?: { readonly reverse?: boolean },
  ): void {
    this.#checkReadable();
    this.#inner.scan(from, to, visit, options);
  }
}
