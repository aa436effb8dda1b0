/**
 * Ordered map of bytes that holds the applied state of all replicas of one store. Writes join one open
 * transaction and are visible to reads at once; `commit` ends it, and each transaction becomes durable
 * whole and in order. What a crash takes is replayed from the logs, so nobody waits for it.
 */
export interface StateView {
  /** Undefined if absent. Throws `CorruptionError` when the stored checksum does not fit. */
  get(key: Uint8Array): Uint8Array | undefined;
  /**
   * Visits [from, to) in byte order (`to` undefined: to the end), or backwards with `reverse`, until `visit`
   * returns false. Keys and values must not be kept without a copy, and `visit` must not call the store.
   */
  scan(
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
    options?: { readonly reverse?: boolean },
  ): void;
}

/** Frozen view of everything durable at its opening. Ends by itself after `lifeMsMax` (reads then throw). */
export interface StateSnapshot extends StateView {
  close(): void;
}

/** `soon`: somebody waits for it. By default transactions may gather for a while, which costs less. */
export type CommitUrgency = 'soon' | 'relaxed';

export interface StateStore extends StateView {
  /** At most `keyBytesMax` bytes of key. Bytes are not copied and must not change afterwards. */
  put(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
  /** Removes [from, to) as one write. For bounded ranges; unbounded ones go through `release`. */
  deleteRange(from: Uint8Array, to: Uint8Array): void;
  /** Ends the open transaction; `done` when it is durable, or with the failure (the process must stop). */
  commit(done: (failure: Error | undefined) => void, urgency?: CommitUrgency): void;
  /** Opens a view of all that is durable now. At most two at a time; undefined if that many are open. */
  snapshot(): StateSnapshot | undefined;
  /**
   * Gives up a key range that nobody reads any more: removed in slices in the background, at any time.
   * Not part of any transaction; repeated after a restart by whoever owns the range.
   */
  release(from: Uint8Array, to: Uint8Array): void;
}
