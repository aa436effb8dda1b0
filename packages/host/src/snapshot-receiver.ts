import {
  DecodeError,
  type Message,
  MessageKind,
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
  type StateStore,
} from '@flotilla/ports';
import {
  FrameKind,
  readSnapshotChunk,
  readSnapshotMeta,
  readSnapshotOffer,
  type SnapshotChunk,
  type SnapshotOffer,
  SnapshotVerdict,
  writeSnapshotAck,
} from '@flotilla/wire';
import { plainMessage } from './beats.ts';
import { decodeMeta, generationPrefix, metaKey, PREFIX_BYTES, SUFFIX_BYTES_MAX } from './layout.ts';
import type { Replica } from './replica.ts';
import { itemDigest, readItems } from './snapshot-sender.ts';
import type { HostTuning } from './tuning.ts';

interface Stream {
  readonly offer: SnapshotOffer;
  readonly meta: SnapshotMeta;
  readonly replica: Replica;
  readonly storeId: StoreId;
  readonly generation: number;
  nextChunk: number;
  digest: number;
  /** When the last chunk came; a sender that gave up need not say so. */
  heardAt: number;
}

/**
 * Takes a group snapshot: stages it under a generation that nothing points at, and only when all of it is
 * durable shows the message to the core. If the core takes it, the log commit that moves the pointer is what
 * installs it; until then, and whenever a stream breaks, the old state is the state.
 */
export class SnapshotReceiver {
  readonly #links: PeerLinks;
  readonly #stateStore: StateStore;
  readonly #hasher: Hasher;
  readonly #tuning: HostTuning;
  readonly #log: LogSink;
  readonly #find: (offer: SnapshotOffer, storeId: StoreId) => Replica | undefined;
  readonly #hasRoom: () => boolean;
  readonly #complete: (replica: Replica, message: Message) => void;
  readonly #failed: (cause: Error) => void;
  readonly #now: () => number;
  readonly #rare: RareBranches;
  /** One stream per sender and stream id. */
  readonly #streams = new Map<string, Stream>();
  #stopped = false;

  constructor(options: {
    readonly links: PeerLinks;
    readonly stateStore: StateStore;
    readonly hasher: Hasher;
    readonly tuning: HostTuning;
    readonly log: LogSink;
    readonly find: (offer: SnapshotOffer, storeId: StoreId) => Replica | undefined;
    readonly hasRoom: () => boolean;
    /** All of it is durable and `replica.staged` is set: the core may see the message. */
    readonly complete: (replica: Replica, message: Message) => void;
    readonly failed: (cause: Error) => void;
    readonly now: () => number;
    readonly rare?: RareBranches | undefined;
  }) {
    this.#links = options.links;
    this.#stateStore = options.stateStore;
    this.#hasher = options.hasher;
    this.#tuning = options.tuning;
    this.#log = options.log;
    this.#find = options.find;
    this.#hasRoom = options.hasRoom;
    this.#complete = options.complete;
    this.#failed = options.failed;
    this.#now = options.now;
    this.#rare = options.rare ?? neverRare;
  }

  get active(): number {
    return this.#streams.size;
  }

  /** Nothing is said any more about what becomes durable from here on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Streams whose sender fell silent make room for others. */
  tick(): void {
    const before = this.#now() - this.#tuning.snapshotSilenceMs;
    for (const [key, stream] of this.#streams) {
      if (stream.heardAt < before) this.#refuse(key, stream, stream.nextChunk, 'its sender fell silent');
    }
  }

  onOffer(storeId: StoreId, body: Uint8Array): void {
    const offer = readSnapshotOffer(body);
    const meta = readSnapshotMeta(new Reader(offer.meta));
    const replica = this.#find(offer, storeId);
    const refused =
      replica === undefined ||
      replica.staged !== undefined ||
      offer.term < replica.raft.term ||
      meta.index <= replica.applied.index ||
      !this.#hasRoom() ||
      this.#rare.take('snapshot-offer-refused');
    if (refused) {
      this.#ack(storeId, offer.stream, 0, SnapshotVerdict.refused);
      return;
    }
    for (const [key, stream] of this.#streams) if (stream.replica === replica) this.#drop(key, stream);
    if (this.#streams.size >= this.#tuning.snapshotsInMax) {
      this.#ack(storeId, offer.stream, 0, SnapshotVerdict.refused);
      return;
    }
    replica.generationsUsed++;
    this.#log.log('info', 'snapshot-receive', { group: replica.name, from: storeId, index: meta.index });
    this.#streams.set(`${storeId} ${offer.stream}`, {
      offer: { ...offer, meta: offer.meta.slice() },
      meta: { ...meta, data: meta.data.slice() },
      replica,
      storeId,
      generation: replica.generationsUsed,
      nextChunk: 0,
      digest: 0,
      heardAt: this.#now(),
    });
  }

  onChunk(storeId: StoreId, body: Uint8Array): void {
    const chunk = readSnapshotChunk(body);
    const key = `${storeId} ${chunk.stream}`;
    const stream = this.#streams.get(key);
    if (stream === undefined) {
      // Its offer never came, or the stream was given up: the sender would wait for ever.
      this.#ack(storeId, chunk.stream, chunk.number, SnapshotVerdict.refused);
      return;
    }
    stream.heardAt = this.#now();
    if (chunk.number !== stream.nextChunk) {
      this.#refuse(key, stream, chunk.number, 'a chunk is missing');
      return;
    }
    const problem = this.#stage(stream, chunk);
    if (problem !== undefined) {
      this.#refuse(key, stream, chunk.number, problem);
      return;
    }
    stream.nextChunk++;
    this.#stateStore.commit((failure) => {
      if (this.#stopped) return;
      if (failure !== undefined) {
        this.#failed(failure);
        return;
      }
      if (this.#streams.get(key) !== stream) return;
      if (chunk.last) this.#finish(key, stream, chunk.number);
      else this.#ack(storeId, chunk.stream, chunk.number, SnapshotVerdict.next);
    }, 'soon');
  }

  dropped(storeId: StoreId): void {
    for (const [key, stream] of this.#streams) if (stream.storeId === storeId) this.#drop(key, stream);
  }

  forget(replica: Replica): void {
    for (const [key, stream] of this.#streams) if (stream.replica === replica) this.#drop(key, stream);
  }

  /** Puts the items of the chunk under the new generation, or says what is wrong with them. */
  #stage(stream: Stream, chunk: SnapshotChunk): string | undefined {
    const prefix = generationPrefix(stream.replica.group, stream.generation);
    let { digest } = stream;
    try {
      readItems(chunk.items, (suffix, value) => {
        if (suffix.length === 0 || suffix.length > SUFFIX_BYTES_MAX) {
          throw new DecodeError(`a key of ${suffix.length} bytes (limit ${SUFFIX_BYTES_MAX})`);
        }
        digest = (digest + itemDigest(this.#hasher, suffix, value)) >>> 0;
      });
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      return cause.message;
    }
    const isRefused = this.#rare.take('snapshot-chunk-refused');
    if (digest !== chunk.digest || isRefused) return 'the digest does not fit';
    stream.digest = digest;
    readItems(chunk.items, (suffix, value) => {
      const stored = new Uint8Array(PREFIX_BYTES + suffix.length);
      stored.set(prefix);
      stored.set(suffix, PREFIX_BYTES);
      this.#stateStore.put(stored, value.slice());
    });
    return undefined;
  }

  #finish(key: string, stream: Stream, number: number): void {
    const { replica, meta, offer } = stream;
    // The log would begin where the offer says: the state must stand at exactly that entry.
    const stored = this.#stateStore.get(metaKey(replica.group, stream.generation));
    const stands = stored === undefined ? undefined : decodeMeta(stored);
    if (stands?.appliedIndex !== meta.index || stands.appliedTerm !== meta.term) {
      this.#refuse(
        key,
        stream,
        number,
        `the state stands at ${stands?.appliedIndex}, the offer at ${meta.index}`,
      );
      return;
    }
    this.#streams.delete(key);
    replica.staged = { meta, generation: stream.generation };
    this.#complete(replica, {
      ...plainMessage(MessageKind.snap, offer.from, offer.to, offer.term),
      snapshot: meta,
    });
    this.#ack(stream.storeId, offer.stream, number, SnapshotVerdict.done);
  }

  #refuse(key: string, stream: Stream, number: number, why: string): void {
    this.#log.log('warn', 'snapshot-refused', { group: stream.replica.name, from: stream.storeId, why });
    this.#drop(key, stream);
    this.#ack(stream.storeId, stream.offer.stream, number, SnapshotVerdict.refused);
  }

  #drop(key: string, stream: Stream): void {
    this.#streams.delete(key);
    releaseGeneration(this.#stateStore, stream.replica, stream.generation);
  }

  #ack(storeId: StoreId, stream: number, number: number, verdict: SnapshotVerdict): void {
    const out = new Writer(16);
    writeSnapshotAck(out, { stream, number, verdict });
    this.#links.send(storeId, Lane.bulk, FrameKind.snapshotAck, out.take(), 'normal');
  }
}

/** Nobody reads that generation any more. */
export function releaseGeneration(stateStore: StateStore, replica: Replica, generation: number): void {
  const prefix = generationPrefix(replica.group, generation);
  const end = prefixEnd(prefix);
  if (end !== undefined) stateStore.release(prefix, end);
}
