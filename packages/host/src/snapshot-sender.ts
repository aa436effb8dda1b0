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
  type PeerLinks,
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
import { decodeMeta, generationPrefix, metaKey, PREFIX_BYTES } from './layout.ts';
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
  }) {
    this.#links = options.links;
    this.#stateStore = options.stateStore;
    this.#hasher = options.hasher;
    this.#tuning = options.tuning;
    this.#log = options.log;
    this.#reported = options.reported;
  }

  get active(): number {
    return this.#streams.size;
  }

  start(replica: Replica, message: Message, storeId: StoreId): void {
    for (const stream of this.#streams.values()) {
      if (stream.replica === replica && stream.storeId === storeId) this.#end(stream);
    }
    const view =
      this.#streams.size < this.#tuning.snapshotsOutMax && this.#links.isUp(storeId)
        ? this.#stateStore.snapshot()
        : undefined;
    const stored = view?.get(metaKey(replica.group, replica.generation));
    if (view === undefined || stored === undefined) {
      view?.close();
      this.#report(replica, message.to, false);
      return;
    }
    const meta = decodeMeta(stored);
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
    };
    this.#streams.set(stream.id, stream);
    this.#log.log('info', 'snapshot-send', {
      group: replica.name,
      to: storeId,
      index: meta.appliedIndex,
      stream: stream.id,
    });
    this.#offer(stream, {
      index: meta.appliedIndex,
      term: meta.appliedTerm,
      confState: meta.confState,
      data: new Uint8Array(0),
    });
    this.#pump(stream);
  }

  onAck(storeId: StoreId, body: Uint8Array): void {
    const ack = readSnapshotAck(body);
    const stream = this.#streams.get(ack.stream);
    if (stream === undefined || stream.storeId !== storeId) return;
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
      if (stream.storeId !== storeId) continue;
      this.#end(stream);
      this.#report(stream.replica, stream.message.to, false);
    }
  }

  /** The replica ended, or its state moved to another generation: its streams are worth nothing. */
  forget(replica: Replica): void {
    for (const stream of [...this.#streams.values()]) if (stream.replica === replica) this.#end(stream);
  }

  /** Streams whose bulk lane was full go on. */
  tick(): void {
    for (const stream of [...this.#streams.values()]) this.#pump(stream);
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

  #offer(stream: Stream, meta: SnapshotMeta): void {
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
    this.#links.send(stream.storeId, Lane.bulk, FrameKind.snapshotOffer, out.take(), 'normal');
  }

  #pump(stream: Stream): void {
    while (
      stream.cursor !== undefined &&
      stream.nextChunk - stream.acknowledged < this.#tuning.snapshotWindow
    ) {
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
    stream.view.scan(from, stream.end, (key, value) => {
      if (out.length > 0 && out.length + key.length + value.length > limits.snapshotChunkBytes) {
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

/** Walks the items of a chunk. */
export function readItems(items: Uint8Array, visit: (suffix: Uint8Array, value: Uint8Array) => void): void {
  const from = new Reader(items);
  while (from.remaining > 0) visit(from.bytes16(0xffff), from.bytes32(limits.peerFrameBytes));
}
