import {
  assert,
  type Message,
  prefixEnd,
  Reader,
  type SnapshotMeta,
  type StoreId,
  Writer,
} from '@flotilla/base';
import {
  type Hasher,
  Lane,
  type LogSink,
  neverRare,
  type PeerLinks,
  type RareBranches,
  type StateSnapshot,
  type StateStore,
} from '@flotilla/ports';
import {
  FrameKind,
  limits,
  readSnapshotAck,
  SnapshotVerdict,
  writeSnapshotChunk,
  writeSnapshotMeta,
  writeSnapshotOffer,
} from '@flotilla/wire';
import { decodeMeta, generationPrefix, metaKey, PREFIX_BYTES, type ReplicaMeta } from './layout.ts';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

interface Stream {
  readonly id: number;
  readonly replica: Replica;
  readonly message: Message;
  readonly storeId: StoreId;
  readonly view: StateSnapshot;
  readonly end: Uint8Array | undefined;
  /** First key of the next chunk, with prefix; undefined once the last one is out. */
  cursor: Uint8Array | undefined;
  nextChunk: number;
  acknowledged: number;
  digest: number;
  /** When the receiver was heard last; acknowledgements get lost like all else. */
  heardAt: number;
}

/** Checksum of one item as both ends count it. */
export function itemDigest(hasher: Hasher, key: Uint8Array, value: Uint8Array): number {
  const keyHash = hasher.hash(key);
  return (keyHash ^ Math.imul(hasher.hash(value), 0x9e3779b1)) >>> 0;
}

/**
 * Streams the durable state of a replica to a follower that needs more than the log holds. The view is frozen
 * at one applied index, which the view itself names; nothing of the replica waits for the stream. A stream
 * that breaks is forgotten: the core hears of it and offers a new one.
 */
export class SnapshotSender {
  readonly #links: PeerLinks;
  readonly #stateStore: StateStore;
  readonly #hasher: Hasher;
  readonly #tuning: HostTuning;
  readonly #log: LogSink;
  readonly #reported: (replica: Replica) => void;
  readonly #guard: (replica: Replica, work: () => void) => void;
  readonly #now: () => number;
  readonly #rare: RareBranches;
  readonly #streams = new Map<number, Stream>();
  #lastId = 0;

  constructor(options: {
    readonly links: PeerLinks;
    readonly stateStore: StateStore;
    readonly hasher: Hasher;
    readonly tuning: HostTuning;
    readonly log: LogSink;
    /** Called after a core was told how a snapshot ended. */
    readonly reported: (replica: Replica) => void;
    /** Runs the work; a fault of the replica's own data stops that replica and nothing else. */
    readonly guard: (replica: Replica, work: () => void) => void;
    readonly now: () => number;
    readonly rare?: RareBranches | undefined;
  }) {
    this.#links = options.links;
    this.#stateStore = options.stateStore;
    this.#hasher = options.hasher;
    this.#tuning = options.tuning;
    this.#log = options.log;
    this.#reported = options.reported;
    this.#guard = options.guard;
    this.#now = options.now;
    this.#rare = options.rare ?? neverRare;
  }

  get active(): number {
    return this.#streams.size;
  }

  start(replica: Replica, message: Message, storeId: StoreId): void {
    for (const stream of this.#streams.values()) {
      if (stream.replica === replica && stream.storeId === storeId) this.#end(stream);
    }
    const isFull = this.#streams.size >= this.#tuning.snapshotsOutMax || this.#rare.take('snapshot-no-view');
    const view = !isFull && this.#links.isUp(storeId) ? this.#stateStore.snapshot() : undefined;
    const meta = view === undefined ? undefined : metaIn(view, replica);
    if (view === undefined || meta === undefined) {
      view?.close();
      this.#report(replica, message.to, false);
      return;
    }
    const prefix = generationPrefix(replica.group, replica.generation);
    const stream: Stream = {
      id: ++this.#lastId,
      replica,
      message,
      storeId,
      view,
      end: prefixEnd(prefix),
      cursor: prefix,
      nextChunk: 0,
      acknowledged: 0,
      digest: 0,
      heardAt: this.#now(),
    };
    this.#streams.set(stream.id, stream);
    this.#log.log('info', 'snapshot-send', {
      group: replica.name,
      to: storeId,
      index: meta.appliedIndex,
      stream: stream.id,
    });
    const offered = this.#offer(stream, {
      index: meta.appliedIndex,
      term: meta.appliedTerm,
      confState: meta.confState,
      data: new Uint8Array(0),
    });
    if (offered) this.#pump(stream);
    else this.#fail(stream);
  }

  onAck(storeId: StoreId, body: Uint8Array): void {
    const ack = readSnapshotAck(body);
    const stream = this.#streams.get(ack.stream);
    if (stream === undefined || stream.storeId !== storeId) return;
    stream.heardAt = this.#now();
    if (ack.verdict === SnapshotVerdict.next) {
      if (ack.number + 1 > stream.acknowledged)
        stream.acknowledged = Math.min(ack.number + 1, stream.nextChunk);
      this.#pump(stream);
      return;
    }
    this.#end(stream);
    this.#report(stream.replica, stream.message.to, ack.verdict === SnapshotVerdict.done);
  }

  dropped(storeId: StoreId): void {
    for (const stream of [...this.#streams.values()]) {
      if (stream.storeId === storeId) this.#fail(stream);
    }
  }

  /** The replica ended, or its state moved to another generation: its streams are worth nothing. */
  forget(replica: Replica): void {
    for (const stream of [...this.#streams.values()]) if (stream.replica === replica) this.#end(stream);
  }

  /** Streams whose bulk lane was full go on; those whose receiver fell silent end. */
  tick(): void {
    const before = this.#now() - this.#tuning.snapshotSilenceMs;
    for (const stream of [...this.#streams.values()]) {
      if (stream.heardAt < before || this.#rare.take('snapshot-given-up')) this.#fail(stream);
      else this.#pump(stream);
    }
  }

  #fail(stream: Stream): void {
    this.#end(stream);
    this.#report(stream.replica, stream.message.to, false);
  }

  #report(replica: Replica, to: number, ok: boolean): void {
    if (!replica.isLeader) return;
    replica.raft.reportSnapshot(to, ok);
    this.#reported(replica);
  }

  #end(stream: Stream): void {
    stream.view.close();
    this.#streams.delete(stream.id);
  }

  #offer(stream: Stream, meta: SnapshotMeta): boolean {
    const metaOut = new Writer(256);
    writeSnapshotMeta(metaOut, meta);
    const out = new Writer(512);
    writeSnapshotOffer(out, {
      group: stream.replica.group,
      from: stream.message.from,
      to: stream.message.to,
      stream: stream.id,
      term: stream.message.term,
      meta: metaOut.take(),
    });
    return this.#links.send(stream.storeId, Lane.bulk, FrameKind.snapshotOffer, out.take(), 'normal');
  }

  #pump(stream: Stream): void {
    this.#guard(stream.replica, () => {
      try {
        this.#sendChunks(stream);
      } catch (cause) {
        // The port promises no class for it, only that reads throw; damage and our own mistakes have theirs.
        if (!(cause instanceof Error) || Object.getPrototypeOf(cause) !== Error.prototype) throw cause;
        // The view took too long, or made the file grow too far: the next one begins with a newer state.
        this.#log.log('warn', 'snapshot-view-ended', { group: stream.replica.name, why: cause.message });
        this.#fail(stream);
      }
    });
  }

  #sendChunks(stream: Stream): void {
    const window = this.#rare.take('snapshot-window-of-one') ? 1 : this.#tuning.snapshotWindow;
    while (stream.cursor !== undefined && stream.nextChunk - stream.acknowledged < window) {
      const chunk = this.#nextChunk(stream, stream.cursor);
      const out = new Writer(chunk.items.length + 32);
      writeSnapshotChunk(out, {
        stream: stream.id,
        number: stream.nextChunk,
        last: chunk.next === undefined,
        digest: chunk.digest,
        items: chunk.items,
      });
      if (!this.#links.send(stream.storeId, Lane.bulk, FrameKind.snapshotChunk, out.take(), 'normal')) return;
      stream.digest = chunk.digest;
      stream.cursor = chunk.next;
      stream.nextChunk++;
    }
  }

  #nextChunk(
    stream: Stream,
    from: Uint8Array,
  ): { readonly items: Uint8Array; readonly next: Uint8Array | undefined; readonly digest: number } {
    const out = new Writer(limits.snapshotChunkBytes);
    let digest = stream.digest;
    let next: Uint8Array | undefined;
    const bytesMax = this.#rare.take('snapshot-chunk-of-one') ? 0 : limits.snapshotChunkBytes;
    stream.view.scan(from, stream.end, (key, value) => {
      if (out.length > 0 && out.length + key.length + value.length > bytesMax) {
        next = key.slice();
        return false;
      }
      assert(key.length > PREFIX_BYTES, 'a key of a replica is longer than its prefix');
      const suffix = key.subarray(PREFIX_BYTES);
      out.bytes16(suffix);
      out.bytes32(value);
      digest = (digest + itemDigest(this.#hasher, suffix, value)) >>> 0;
      return true;
    });
    return { items: out.take(), next, digest };
  }
}

/** Where the state in the view stands; undefined if the replica is not in it. */
function metaIn(view: StateSnapshot, replica: Replica): ReplicaMeta | undefined {
  try {
    const stored = view.get(metaKey(replica.group, replica.generation));
    return stored === undefined ? undefined : decodeMeta(stored);
  } catch (cause) {
    // Few views may be open at once: one that is lost here would be missing for ever.
    view.close();
    throw cause;
  }
}

/** Walks the items of a chunk. */
export function readItems(items: Uint8Array, visit: (suffix: Uint8Array, value: Uint8Array) => void): void {
  const from = new Reader(items);
  while (from.remaining > 0) visit(from.bytes16(0xffff), from.bytes32(limits.peerFrameBytes));
}
