import { Prng, Reader, utf8Decode, utf8Encode, Xxh64 } from '@flotilla/base';
import { ClientCore, ReadOperation, WriteOperation } from '@flotilla/client/core';
import { DataGroup, moveEntry, type ShardStatus } from '@flotilla/kv';
import { PlainColdCodec } from '@flotilla/transport';
import {
  type AdminMethod,
  type AdminParams,
  type AdminResults,
  type ClusterConfig,
  EntryBody,
  Flag,
  type MoveEntry,
  type MoveProgress,
  type MoveStep,
  Op,
  type Result,
  readEntryHead,
  readMoveEntry,
  Status,
  stampEntry,
} from '@flotilla/wire';
import { Bench, type BenchOptions, type BenchStore } from './bench.ts';

const hasher = new Xxh64();

class Write extends WriteOperation {
  readonly #done: (write: Write) => void;
  constructor(done: (write: Write) => void) {
    super();
    this.#done = done;
  }
  settled(): void {
    this.#done(this);
  }
}

class Get extends ReadOperation {
  readonly #done: (read: Get) => void;
  constructor(done: (read: Get) => void) {
    super();
    this.#done = done;
  }
  settled(): void {
    this.#done(this);
  }
}

/** A caller that appends one word after the other to its own key, and never gives up. */
export class Appender {
  readonly key: string;
  written = 0;
  isStopped = false;
  readonly #bench: MoveBench;
  readonly #wordBytes: number;
  readonly #pauseMs: number;
  isBusy = false;

  constructor(bench: MoveBench, key: string, wordBytes: number, pauseMs: number) {
    this.key = key;
    this.#bench = bench;
    this.#wordBytes = wordBytes;
    this.#pauseMs = pauseMs;
    this.#next();
  }

  get expected(): string {
    return Array.from({ length: this.written }, (_, at) => this.#word(at)).join('');
  }

  #word(at: number): string {
    return `${at},`.padStart(this.#wordBytes, '.');
  }

  #next(): void {
    this.isBusy = true;
    this.#bench.write(Op.append, this.key, this.#word(this.written), {}, (result) => {
      this.isBusy = false;
      if (result.status !== Status.ok) throw new Error(`append to ${this.key}: status ${result.status}`);
      this.written++;
      this.#bench.time.set(this.#pauseMs, () => {
        if (!this.isStopped) this.#next();
      });
    });
  }
}

function stepOf(entry: Uint8Array): MoveStep | undefined {
  if (entry.length === 0) return undefined;
  const { kind, bodyAt } = readEntryHead(entry);
  return kind === EntryBody.move ? readMoveEntry(new Reader(entry, bodyAt)).step : undefined;
}

/** Stores with groups between which shards move, and a client that follows them. */
export class MoveBench extends Bench {
  #core: ClientCore | undefined;

  static with(options: BenchOptions): MoveBench {
    const bench = new MoveBench(options);
    bench.bootstrap();
    bench.until(() => bench.config.stores.length === bench.stores.length);
    return bench;
  }

  get core(): ClientCore {
    if (this.#core !== undefined) return this.#core;
    const network = this.hub.network('mover');
    const random = new Prng(11);
    const ports = {
      network,
      timers: this.time,
      clock: this.time,
      random,
      hasher,
      coldCodec: new PlainColdCodec(),
    };
    const endpoints = this.stores.map((store) => `${store.id}:7400`);
    this.#core = new ClientCore(ports, { endpoints, timeoutMs: 120_000 });
    this.#core.start(() => {});
    return this.#core;
  }

  /** The newest config that any running store holds. */
  get config(): ClusterConfig {
    const configs = this.stores.filter((store) => store.isRunning).map((store) => store.node.config);
    return configs.reduce((newest, config) => (config.number > newest.number ? config : newest));
  }

  start<M extends AdminMethod>(method: M, params: AdminParams[M]): { result: AdminResults[M] | undefined } {
    const slot: { result: AdminResults[M] | undefined } = { result: undefined };
    this.core.admin(method, params, this.core.deadlineMs(30_000), (call) => {
      if (call.failure !== undefined) throw new Error(`${method}: ${call.failure.message}`);
      slot.result = call.result;
    });
    return slot;
  }

  admin<M extends AdminMethod>(method: M, params: AdminParams[M]): AdminResults[M] {
    const slot = this.start(method, params);
    this.until(() => slot.result !== undefined);
    return slot.result as AdminResults[M];
  }

  join(...groups: readonly (readonly [number, ...string[]])[]): void {
    this.admin('join', {
      requestId: this.core.requestId(),
      plan: false,
      groups: groups.map(([gid, ...stores]) => ({ gid, stores })),
    });
  }

  /** Orders a move; returns its id. */
  move(shard: number, gid: number): number {
    const { configNumber } = this.admin('move', {
      requestId: this.core.requestId(),
      plan: false,
      shard,
      gid,
    });
    return configNumber;
  }

  order(method: 'pause' | 'resume' | 'cancel', moveId: number): void {
    this.admin(method, { requestId: this.core.requestId(), moveId, shard: undefined });
  }

  policy(change: Partial<Omit<AdminParams['policy'], 'requestId'>>): void {
    this.admin('policy', {
      requestId: this.core.requestId(),
      ...{ auto: undefined, moveBytesPerSecond: undefined, movesPerStore: undefined },
      ...change,
    });
  }

  /** Until no config knows of an open move, and each shard has an owner. */
  settled(ms = 30_000): number {
    return this.until(
      () =>
        this.stores.every(
          (store) =>
            !store.isRunning ||
            (store.node.config.number === this.config.number &&
              store.node.config.shards.every(({ owner, intent }) => owner !== 0 && intent === undefined)),
        ),
      ms,
    );
  }

  write(
    op: Op,
    key: string,
    value: string,
    fields: Partial<Pick<WriteOperation, 'flags' | 'ttl' | 'version'>>,
    done: (result: Result) => void,
  ): void {
    const write = new Write((ended) => {
      if (ended.failure !== undefined) throw new Error(`write of ${key}: ${ended.failure.message}`);
      done(ended.result as Result);
    });
    Object.assign(write, { op, key: utf8Encode(key), value: utf8Encode(value), ...fields });
    write.deadlineMs = this.core.deadlineMs();
    write.measure();
    this.core.submit(write);
  }

  put(key: string, value: string, ttl = 0): Result {
    let found: Result | undefined;
    this.write(Op.put, key, value, ttl > 0 ? { flags: Flag.ttl, ttl } : {}, (result) => {
      found = result;
    });
    this.until(() => found !== undefined);
    return found as Result;
  }

  /** Many puts at once. */
  fill(records: Iterable<readonly [string, string]>): void {
    let open = 0;
    for (const [key, value] of records) {
      open++;
      this.write(Op.put, key, value, {}, () => {
        open--;
      });
    }
    this.until(() => open === 0);
  }

  get(key: string): string | undefined {
    let found: { value: string | undefined } | undefined;
    const read = new Get((ended) => {
      if (ended.failure !== undefined) throw new Error(`read of ${key}: ${ended.failure.message}`);
      const { result } = ended;
      found = { value: result?.status === Status.record ? utf8Decode(result.value) : undefined };
    });
    read.key = utf8Encode(key);
    read.deadlineMs = this.core.deadlineMs();
    read.measure();
    this.core.submit(read);
    this.until(() => found !== undefined);
    return found?.value;
  }

  /** Keys that belong to a shard. */
  keys(shard: number, count: number, prefix = 'key'): readonly string[] {
    const keys: string[] = [];
    for (let at = 0; keys.length < count; at++) {
      const key = `${prefix} ${at}`;
      if (hasher.hash(utf8Encode(key)) % this.shardCount === shard) keys.push(key);
    }
    return keys;
  }

  /** The shard as the replica of the group on that store has it. */
  shard(store: BenchStore, gid: number, shard: number): ShardStatus | undefined {
    const machine = store.isRunning ? store.node.host.replica(gid)?.machine : undefined;
    return machine instanceof DataGroup ? machine.shard(shard) : undefined;
  }

  /** The shard as its group's leader has it. */
  shardOf(gid: number, shard: number): ShardStatus | undefined {
    return this.shard(this.leader(gid), gid, shard);
  }

  progress(gid: number): readonly MoveProgress[] {
    return this.leader(gid).node.moves();
  }

  /** Lines of the log of all stores, for one event. */
  lines(event: string): readonly Record<string, unknown>[] {
    return this.stores.flatMap((store) =>
      store.events
        .filter((line) => line.startsWith(`${event} `))
        .map((line) => JSON.parse(line.slice(event.length + 1)) as Record<string, unknown>),
    );
  }

  /** Calls back, once, after a step of that kind was applied on some store that leads its group. */
  after(step: MoveStep, then: (store: BenchStore, gid: number) => void): void {
    this.onApplied = (store, replica, entry) => {
      if (replica.group.gid === 0 || !replica.isLeader || stepOf(entry.data) !== step) return;
      this.onApplied = undefined;
      // The store is in the middle of its turn.
      this.time.soon(() => then(store, replica.group.gid));
    };
  }

  /** Puts a step into the log of a group, as anybody might have sent it. */
  propose(gid: number, step: MoveEntry): void {
    const store = this.leader(gid);
    const replica = store.node.host.replica(gid);
    if (replica === undefined) throw new Error(`no replica of group ${gid}`);
    const data = moveEntry(step, 0);
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    const stamp = (): void => stampEntry(data, this.time.wallMs());
    const fate = { applied: over, refused: over, lost: over };
    store.node.host.propose(replica, {
      data,
      spares: () => true,
      prepare: stamp,
      out: () => undefined,
      ...fate,
    });
    this.until(() => isOver);
  }

  /** Hands a group to the store that is to lead it. */
  lead(gid: number, storeId: string): void {
    this.admin('transferLeader', { requestId: this.core.requestId(), gid, store: storeId });
    this.until(() => this.leader(gid).id === storeId);
  }

  appender(key: string, wordBytes = 8, pauseMs = 3): Appender {
    return new Appender(this, key, wordBytes, pauseMs);
  }

  /** Each caller ends its last append, and then its key holds every word once, in order. */
  check(appenders: readonly Appender[]): void {
    for (const each of appenders) each.isStopped = true;
    this.until(() => appenders.every((each) => !each.isBusy), 130_000);
    for (const { key, expected } of appenders) {
      if (this.get(key) !== expected) throw new Error(`${key} holds ${this.get(key)}, not ${expected}`);
    }
  }

  fatal(): readonly string[] {
    return this.stores.flatMap((store) => store.fatal);
  }
}
