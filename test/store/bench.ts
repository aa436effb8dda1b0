import { type Entry, Prng, Reader, utf8Encode, VirtualTime, Writer, Xxh64 } from '@flotilla/base';
import type { Replica } from '@flotilla/host';
import {
  type ColdValue,
  Lane,
  type Meter,
  type PeerLinks,
  type SocketHandler,
  type Timers,
} from '@flotilla/ports';
import { MemoryLogStore, MemoryStateStore } from '@flotilla/storage';
import { StoreNode } from '@flotilla/store';
import { Fabric, MemoryNetworkHub, PlainColdCodec, RunLengthCompressor } from '@flotilla/transport';
import {
  type AddressEntry,
  type AdminReply,
  type BatchReply,
  beginEntry,
  beginFrame,
  blankCommand,
  blankRead,
  EntryBody,
  entryFormats,
  FRAME_HEADER_BYTES,
  FrameKind,
  limits,
  openFrame,
  ReadLevel,
  Role,
  readAdmin,
  readBatchReply,
  readClientWelcome,
  readRefusal,
  sealFrame,
  writeAdmin,
  writeBatchHead,
  writeCommand,
  writeHello,
  writeRead,
  writeReadHead,
  writeWriteHead,
} from '@flotilla/wire';

const PLENTY = 1e12;
const silent = { add() {}, set() {}, observe() {} };
const meter: Meter = { counter: () => silent, gauge: () => silent, histogram: () => silent };
const codec = new PlainColdCodec();
const hasher = new Xxh64();

interface Life {
  node: StoreNode;
  fabric: Fabric;
  stop: () => void;
  isAlive: boolean;
}

let clients = 0;

export interface BenchOptions {
  readonly count?: number;
  readonly shardCount?: number;
  /** Bytes of a page or delta of a move. */
  readonly pieceBytes?: number;
  /** Log kept behind the applied index. */
  readonly logKeepBytes?: number;
}

/** A store with its disk. Its small files are written through at once, unless a test holds them back. */
export class BenchStore {
  readonly id: string;
  readonly events: string[] = [];
  readonly fatal: string[] = [];
  bootstrap: readonly string[] | undefined;
  clusterId: string | undefined;
  incarnation: string;
  log: MemoryLogStore;
  state: MemoryStateStore;
  wallOffsetMs = 0;
  /** Called instead of finishing the write of the cluster id. */
  holdClusterId: (() => void) | undefined;
  #book: readonly AddressEntry[] = [];
  #life: Life | undefined;
  #lives = 0;
  #blanks = 1;
  readonly #bench: Bench;

  constructor(bench: Bench, id: string) {
    this.#bench = bench;
    this.id = id;
    this.incarnation = `${id}-inc1`;
    const disk = { timers: bench.time, delayMs: () => 0.2 };
    this.log = new MemoryLogStore(disk);
    this.state = new MemoryStateStore(disk);
  }

  get node(): StoreNode {
    if (this.#life === undefined) throw new Error(`${this.id} does not run`);
    return this.#life.node;
  }

  get links(): PeerLinks {
    if (this.#life === undefined) throw new Error(`${this.id} does not run`);
    return this.#life.fabric;
  }

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  start(): void {
    const { time, hub, stores, logKeepBytes } = this.#bench;
    const network = hub.network(this.id);
    const life = { isAlive: true } as Life;
    const gated = (callback: () => void) => () => {
      if (life.isAlive) callback();
    };
    const timers: Timers = {
      set: (ms, callback) => time.set(ms, gated(callback)),
      clear: (id) => time.clear(id),
      soon: (callback) => time.soon(gated(callback)),
    };
    const clock = { monoMs: () => time.monoMs(), wallMs: () => time.wallMs() + this.wallOffsetMs };
    const random = new Prng(7).fork(`${this.id} ${++this.#lives}`);
    const log = {
      log: (_level: string, event: string, fields: object) =>
        void this.events.push(`${event} ${JSON.stringify(fields)}`),
    };
    const fabric = new Fabric({
      identity: { storeId: this.id, incarnation: this.incarnation },
      address: `${this.id}:7400`,
      clusterId: this.clusterId ?? '',
      formats: [entryFormats.min, entryFormats.max],
      seeds: stores.filter((store) => store !== this).map((store) => `${store.id}:7400`),
      addressBook: this.#book,
      onAddressBook: (entries) => {
        this.#book = entries;
      },
      network,
      timers,
      clock,
      random: random.fork('fabric'),
      hasher,
      compressor: new RunLengthCompressor(),
      log,
    });
    const node = new StoreNode(
      {
        clock,
        timers,
        random,
        hasher,
        logStore: this.log,
        stateStore: this.state,
        links: fabric,
        disk: { freeBytes: () => PLENTY, totalBytes: () => PLENTY },
        log,
        codec,
        meter,
      },
      {
        storeId: this.id,
        incarnation: this.incarnation,
        address: `${this.id}:7400`,
        addressVersion: this.#lives,
        zone: '',
        clusterId: this.clusterId,
        bootstrap: this.bootstrap,
        shardCount: this.#bench.shardCount,
        ...(this.#bench.pieceBytes === undefined ? {} : { pieceBytes: this.#bench.pieceBytes }),
        ...(logKeepBytes === undefined ? {} : { tuning: { logKeepBytes } }),
        onClusterId: (clusterId, done) => {
          this.clusterId = clusterId;
          if (this.holdClusterId !== undefined) {
            this.holdClusterId();
            return;
          }
          fabric.setClusterId(clusterId);
          done();
        },
        onFatal: (reason, code) => void this.fatal.push(`${code} ${reason}`),
        onApplied: (replica, entry) => this.#bench.onApplied?.(this, replica, entry),
      },
    );
    Object.assign(life, { node, fabric, stop: () => network.stop() });
    this.#life = life;
    node.start();
    network.listen(
      `${this.id}:7400`,
      (socket, path) => (path === '/peer' ? fabric.acceptPeer(socket) : node.acceptClient(socket)),
      () => fabric.start(),
    );
  }

  crash(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    life.isAlive = false;
    life.stop();
    this.log = this.log.crash();
    this.state = this.state.crash();
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    this.crash();
    const disk = { timers: this.#bench.time, delayMs: () => 0.2 };
    this.log = new MemoryLogStore(disk);
    this.state = new MemoryStateStore(disk);
    this.clusterId = undefined;
    this.#book = [];
    this.incarnation = `${this.id}-inc${++this.#blanks}`;
  }
}

export class Bench {
  readonly time = new VirtualTime();
  readonly hub: MemoryNetworkHub = new MemoryNetworkHub({
    timers: this.time,
    policy: { route: () => 0.3 },
  });
  readonly stores: readonly BenchStore[];
  readonly shardCount: number;
  readonly pieceBytes: number | undefined;
  readonly logKeepBytes: number | undefined;
  /** Hears of every entry that a store applies. */
  onApplied: ((store: BenchStore, replica: Replica, entry: Entry) => void) | undefined;

  constructor({ count = 3, shardCount = 16, pieceBytes, logKeepBytes }: BenchOptions = {}) {
    this.shardCount = shardCount;
    this.pieceBytes = pieceBytes;
    this.logKeepBytes = logKeepBytes;
    this.stores = Array.from({ length: count }, (_, at) => new BenchStore(this, `s${at + 1}`));
  }

  store(id: string): BenchStore {
    return this.stores.find((store) => store.id === id) as BenchStore;
  }

  /** The first three found a cluster. */
  bootstrap(): this {
    const ids = this.stores.slice(0, 3).map((store) => store.id);
    for (const store of this.stores) {
      if (ids.includes(store.id)) store.bootstrap = ids;
      store.start();
    }
    this.until(() => this.stores.every((store) => store.node.config.number > 0));
    return this;
  }

  /** A cluster with group 1 over all stores, which serves every shard. */
  serving(): this {
    this.bootstrap();
    const ids = this.stores.slice(0, 3).map((store) => store.id);
    const client = this.client();
    const reply = client.admin('join', { requestId: 'j1', groups: [{ gid: 1, stores: ids }] });
    this.until(() => reply.value !== undefined);
    if (reply.value?.ok !== true) throw new Error(JSON.stringify(reply.value));
    this.until(() =>
      this.stores.every((store) => store.node.config.shards.every(({ owner }) => owner === 1)),
    );
    client.close();
    return this;
  }

  run(ms: number): void {
    this.time.advance(ms);
  }

  until(condition: () => boolean, ms = 30_000): number {
    const begin = this.time.monoMs();
    while (!condition()) {
      if (this.time.monoMs() - begin > ms || !this.time.runNext())
        throw new Error(`not within ${ms} ms: ${condition}`);
    }
    return this.time.monoMs() - begin;
  }

  leader(gid: number): BenchStore {
    let found: BenchStore | undefined;
    this.until(() => {
      found = this.stores.find(
        (store) => store.isRunning && store.node.host.replica(gid)?.isServing === true,
      );
      return found !== undefined;
    });
    return found as BenchStore;
  }

  /** What that store sends through; a test may come in between. */
  linksOf(store: BenchStore): PeerLinks {
    return store.links;
  }

  /** A question of one store to another, with whatever content. */
  ask(from: BenchStore, to: BenchStore, value: ColdValue): void {
    const out = new Writer(64);
    out.u53(1_000_000);
    out.u8(1);
    out.raw(codec.encode(value));
    from.links.send(to.id, Lane.consensus, FrameKind.adminForward, out.take(), 'normal');
  }

  /** A client that is connected and greeted. */
  client(store: BenchStore = this.stores[0] as BenchStore): RawClient {
    const client = new RawClient(this, store.id);
    client.hello();
    this.until(() => client.isWelcome);
    return client;
  }
}

/** A client that says exactly what a test wants. */
export class RawClient implements SocketHandler {
  readonly frames: { kind: number; body: Uint8Array }[] = [];
  readonly batches = new Map<number, BatchReply>();
  readonly admins = new Map<number, { value: AdminReply | undefined }>();
  replyFrames = 0;
  isOpen = false;
  closed: string | undefined;
  refusal: string | undefined;
  session: Uint8Array = new Uint8Array(0);
  #request = 0;
  #seq = 0;
  readonly #socket;

  constructor(bench: Bench, storeId: string) {
    this.#socket = bench.hub.network(`client${++clients}`).dial(`${storeId}:7400`, '/client', this);
    bench.until(() => this.isOpen || this.closed !== undefined);
  }

  onOpen(): void {
    this.isOpen = true;
  }

  onMessage(bytes: Uint8Array): void {
    const { kind, body } = openFrame(bytes, hasher, limits.peerFrameBytes);
    this.frames.push({ kind, body });
    if (kind === FrameKind.welcome) this.session = readClientWelcome(body).session;
    if (kind === FrameKind.refusal) this.refusal = readRefusal(body).code;
    if (kind === FrameKind.adminReply) {
      const { request, cold } = readAdmin(body);
      const slot = this.admins.get(request);
      if (slot !== undefined) slot.value = codec.decode(cold) as unknown as AdminReply;
    }
    if (kind !== FrameKind.reply) return;
    this.replyFrames++;
    const from = new Reader(body);
    while (from.remaining > 0) {
      const reply = readBatchReply(from, (part) => new Reader(part));
      if (this.batches.has(reply.request)) throw new Error(`two replies to ${reply.request}`);
      this.batches.set(reply.request, reply);
    }
  }

  onClose(reason: string): void {
    this.closed = reason;
  }

  get isWelcome(): boolean {
    return this.session.length > 0;
  }

  close(): void {
    this.#socket.close('done');
  }

  raw(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }

  frame(kind: number, write: (out: Writer) => void): void {
    const out = new Writer(64);
    beginFrame(out);
    write(out);
    this.raw(sealFrame(out, kind, hasher, true).slice());
  }

  hello(change: object = {}): void {
    this.frame(FrameKind.hello, (out) =>
      writeHello(out, {
        role: Role.client,
        protocolMin: 1,
        protocolMax: 1,
        formatMin: 1,
        formatMax: 1,
        clusterId: '',
        storeId: '',
        incarnation: '',
        address: '',
        lane: 0,
        addressBook: [],
        ...change,
      }),
    );
  }

  admin(method: string, params: object): { value: AdminReply | undefined } {
    const request = ++this.#request;
    const slot = { value: undefined };
    this.admins.set(request, slot);
    const cold = codec.encode({ method, params } as unknown as ColdValue);
    this.frame(FrameKind.admin, (out) => writeAdmin(out, request, cold));
    return slot;
  }

  /** Puts of these keys, in one batch. Returns the request's number. */
  put(
    keys: readonly string[],
    shardCount: number,
    options: { gid?: number; timeLeftMs?: number; shard?: number } = {},
  ): number {
    const request = ++this.#request;
    this.frame(FrameKind.write, (out) => {
      writeWriteHead(out, { request, gid: options.gid ?? 1, timeLeftMs: options.timeLeftMs ?? 5_000 });
      beginEntry(out, EntryBody.clientBatch, keys.length);
      writeBatchHead(out, { session: this.session, floor: this.#seq + 1 });
      for (const [at, key] of keys.entries()) {
        const bytes = utf8Encode(key);
        const shard = options.shard ?? hasher.hash(bytes) % shardCount;
        writeCommand(out, { ...blankCommand(), shard, epoch: 1, seqOffset: at, key: bytes, value: bytes });
      }
      this.#seq += keys.length;
    });
    return request;
  }

  get(
    key: string,
    shardCount: number,
    options: { level?: number; maxAgeMs?: number; gid?: number } = {},
  ): number {
    const request = ++this.#request;
    this.frame(FrameKind.read, (out) => {
      const level = options.level ?? ReadLevel.linearizable;
      const { maxAgeMs = 0, gid = 1 } = options;
      writeReadHead(out, { request, gid, level, maxAgeMs, timeLeftMs: 5_000, count: 1 });
      const bytes = utf8Encode(key);
      writeRead(out, { ...blankRead(), shard: hasher.hash(bytes) % shardCount, epoch: 1, key: bytes });
    });
    return request;
  }
}

export { FRAME_HEADER_BYTES };
