import { Prng, utf8Decode, utf8Encode, VirtualTime, Xxh64 } from '@flotilla/base';
import { Flag, Op, type PageRecord, ReadLevel, Status } from '@flotilla/wire';
import {
  boundedRange,
  ClientCore,
  type ClientFailure,
  type ClientOptions,
  GetMany,
  type KeyRange,
  ReadOperation,
  ScanCursor,
  type ScanOptions,
  WriteOperation,
} from '../core/index.ts';
import { FakeCluster } from './fake-cluster.ts';
import { FakeNetwork } from './fake-network.ts';
import { jsonCodec } from './json-codec.ts';

/** A client core beside a fake cluster on virtual time, and short words for what tests do with it. */

export class TestWrite extends WriteOperation {
  onSettled: (() => void) | undefined;
  settledTimes = 0;
  settled(): void {
    this.settledTimes++;
    this.onSettled?.();
  }
  /** One word for what came of it. */
  get end(): string {
    if (this.failure !== undefined) return `${this.failure.code}/${this.failure.outcome}`;
    if (this.result === undefined) return 'open';
    return this.result.status === Status.ok ? 'ok' : `status ${this.result.status}`;
  }
}

export class TestRead extends ReadOperation {
  settledTimes = 0;
  settled(): void {
    this.settledTimes++;
  }
  get end(): string {
    if (this.failure !== undefined) return `${this.failure.code}/${this.failure.outcome}`;
    if (this.result?.status === Status.record) return utf8Decode(this.result.value);
    if (this.result?.status === Status.absent) return 'absent';
    return this.result === undefined ? 'open' : `status ${this.result.status}`;
  }
}

export interface HarnessOptions extends Partial<ClientOptions> {
  readonly shards?: number;
  readonly stores?: readonly string[];
  readonly groups?: number[];
}

export class Harness {
  readonly time: VirtualTime = new VirtualTime();
  readonly network: FakeNetwork;
  readonly cluster: FakeCluster;
  readonly core: ClientCore;
  #skippedMs = 0;
  started: ClientFailure | 'connected' | undefined;

  constructor(options: HarnessOptions = {}, prepare?: (cluster: FakeCluster) => void) {
    const { shards = 8, stores = ['s1', 's2', 's3'], groups = [1, 2], ...rest } = options;
    this.network = new FakeNetwork(this.time);
    this.cluster = new FakeCluster(this.time, this.network, shards, stores, groups);
    prepare?.(this.cluster);
    const ports = {
      network: this.network,
      timers: this.time,
      clock: { monoMs: () => this.time.monoMs() + this.#skippedMs, wallMs: () => this.time.wallMs() },
      random: new Prng(7),
      hasher: new Xxh64(),
      coldCodec: jsonCodec,
    };
    const endpoints = [...this.cluster.stores.values()].map((store) => store.address);
    this.core = new ClientCore(ports, { endpoints, ...rest });
  }

  /** Connects and finds the leader of every group, then forgets what was seen. */
  warm(): this {
    this.connect();
    for (const [gid] of this.cluster.leaders) {
      const shard = this.cluster.shards.findIndex((candidate) => candidate.owner === gid);
      if (shard >= 0) this.get(this.cluster.keyIn(shard));
    }
    this.time.advance(1000);
    this.cluster.seen.length = 0;
    return this;
  }

  /** Time passes without any event being handled, as for a process that is stopped. */
  skip(ms: number): void {
    this.#skippedMs += ms;
  }

  connect(): this {
    this.core.start((failed) => {
      this.started = failed ?? 'connected';
    });
    this.time.advance(50);
    return this;
  }

  write(key: string, change: Partial<TestWrite> = {}, timeoutMs?: number): TestWrite {
    const write = new TestWrite();
    write.op = Op.put;
    write.key = utf8Encode(key);
    write.value = utf8Encode('v');
    write.deadlineMs = this.core.deadlineMs(timeoutMs);
    Object.assign(write, change);
    this.core.submit(write);
    return write;
  }

  append(key: string, text: string, timeoutMs?: number): TestWrite {
    return this.write(key, { op: Op.append, value: utf8Encode(text) }, timeoutMs);
  }

  get(key: string, change: Partial<TestRead> = {}, timeoutMs?: number): TestRead {
    const read = new TestRead();
    read.key = utf8Encode(key);
    read.deadlineMs = this.core.deadlineMs(timeoutMs);
    Object.assign(read, change);
    this.core.submit(read);
    return read;
  }

  getMany(keys: readonly string[]): GetMany {
    const choice = { level: ReadLevel.linearizable, maxAgeMs: 0 };
    const all = new GetMany(this.core, keys.map(utf8Encode), choice, this.core.deadlineMs(), () => {});
    all.start();
    return all;
  }

  cursor(range: KeyRange = boundedRange(), options: Partial<ScanOptions> = {}): ScanCursor {
    return new ScanCursor(this.core, range, {
      level: ReadLevel.linearizable,
      maxAgeMs: 0,
      reverse: false,
      limit: Number.POSITIVE_INFINITY,
      timeoutMs: undefined,
      ...options,
    });
  }

  /** Runs a scan to its end; the keys that it gave. */
  drain(cursor: ScanCursor, onRecord?: (record: PageRecord) => void): string[] {
    const keys: string[] = [];
    for (let rounds = 0; rounds < 10_000; rounds++) {
      for (let record = cursor.take(); record !== undefined; record = cursor.take()) {
        keys.push(utf8Decode(record.key));
        onRecord?.(record);
      }
      if (cursor.isDone) return keys;
      let isFilled = false;
      cursor.fill(() => {
        isFilled = true;
      });
      for (let steps = 0; !isFilled && steps < 100_000; steps++) this.time.runNext();
    }
    throw new Error('the scan does not end');
  }

  /** Fills the cluster behind the client's back. */
  fill(keys: readonly string[], value = 'v'): void {
    for (const key of keys) {
      const shard = this.cluster.shards[this.cluster.shardOfKey(key)];
      const bytes = utf8Encode(key);
      const name = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      if (shard === undefined) continue;
      const version = ++shard.revision;
      shard.records.set(name, { key: bytes, value: utf8Encode(value), version, createVersion: version });
    }
  }

  /** How often each (session, seq) was executed, over all shards: must be once each. */
  doubles(): string[] {
    const counts = new Map<string, number>();
    for (const shard of this.cluster.shards) {
      for (const name of shard.executed) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return [...counts].filter(([, count]) => count > 1).map(([name]) => name);
  }
}

export { Flag, Op };
