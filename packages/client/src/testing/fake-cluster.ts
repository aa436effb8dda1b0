import {
  compareBytes,
  EMPTY_BYTES,
  hexEncode,
  Reader,
  utf8Decode,
  type VirtualTime,
  Writer,
  Xxh64,
} from '@flotilla/base';
import {
  type BatchStatus,
  beginFrame,
  beginResults,
  blankCommand,
  blankRead,
  type ClusterConfig,
  type Command,
  defaultPolicy,
  endResults,
  FrameKind,
  limits,
  makeSession,
  Op,
  openFrame,
  type Read,
  type ReadHead,
  ReadKind,
  readBatchHead,
  readCommand,
  readEntryHead,
  readHello,
  readRead,
  readReadHead,
  readWriteHead,
  Status,
  sealFrame,
  shardOf,
  WRITE_HEAD_BYTES,
  writeBare,
  writeBatchWait,
  writeClientWelcome,
  writeConfig,
  writeConflict,
  writeElsewhere,
  writeNotLeader,
  writeOk,
  writeRefusal,
  writeWait,
} from '@flotilla/wire';
import type { FakeEnd, FakeNetwork, FakePeer } from './fake-network.ts';

/**
 * A cluster as the client sees it: stores, groups with leaders, shards with owners, records, and session rows
 * that answer repeats. Each frame is kept for the tests, and each store can be scripted frame by frame.
 */

export interface SeenWrite {
  readonly kind: 'write';
  readonly store: string;
  readonly gid: number;
  readonly atMs: number;
  readonly timeLeftMs: number;
  readonly session: string;
  readonly floor: number;
  readonly bytes: number;
  readonly commands: readonly (Command & { readonly seq: number; readonly name: string })[];
}

export interface SeenRead {
  readonly kind: 'read';
  readonly store: string;
  readonly gid: number;
  readonly atMs: number;
  readonly head: ReadHead;
  readonly reads: readonly (Read & { readonly name: string })[];
}

export type Seen = SeenWrite | SeenRead;

/** What a scripted store does with a frame in place of serving it. */
export type Action =
  | 'serve'
  /** Executes it, and the answer is lost with the connection. */
  | 'serve-then-break'
  | 'break'
  | 'ignore'
  | { readonly notLeader: string }
  | { readonly bare: typeof BatchStatus.noGroup | typeof BatchStatus.unknown | typeof BatchStatus.expired }
  | { readonly wait: typeof BatchStatus.overloaded | typeof BatchStatus.notNow; readonly ms: number }
  /** One result for all. */
  | { readonly result: (out: Writer) => void };

export interface FakeRecord {
  readonly key: Uint8Array;
  value: Uint8Array;
  version: number;
  createVersion: number;
}

export class FakeShard {
  owner = 1;
  epoch = 1;
  revision = 0;
  readonly records: Map<string, FakeRecord> = new Map();
  readonly rows: Map<string, { floor: number; results: Map<number, Uint8Array> }> = new Map();
  /** Every execution, as `session/seq`. */
  readonly executed: string[] = [];

  sorted(): FakeRecord[] {
    return [...this.records.values()].sort((left, right) => compareBytes(left.key, right.key));
  }
}

export class FakeCluster {
  readonly time: VirtualTime;
  readonly network: FakeNetwork;
  readonly stores: Map<string, FakeStore> = new Map();
  readonly shards: FakeShard[];
  readonly leaders: Map<number, string> = new Map();
  readonly seen: Seen[] = [];
  clusterId = 'fleet';
  configNumber = 1;
  sessions = 0;
  readonly hasher: Xxh64 = new Xxh64();

  constructor(
    time: VirtualTime,
    network: FakeNetwork,
    shardCount: number,
    storeIds: readonly string[],
    gids: number[],
  ) {
    this.time = time;
    this.network = network;
    this.shards = Array.from({ length: shardCount }, (_, shard) => {
      const made = new FakeShard();
      made.owner = gids[shard % gids.length] as number;
      return made;
    });
    for (const storeId of storeIds) new FakeStore(this, storeId).start();
    gids.forEach((gid, at) => {
      this.leaders.set(gid, storeIds[at % storeIds.length] as string);
    });
  }

  store(storeId: string): FakeStore {
    return this.stores.get(storeId) as FakeStore;
  }

  shardOfKey(key: string): number {
    return shardOf(new TextEncoder().encode(key), this.shards.length, this.hasher);
  }

  /** Some key that lives in the shard. */
  keyIn(shard: number, salt = 'k'): string {
    for (let at = 0; ; at++) if (this.shardOfKey(`${salt}${at}`) === shard) return `${salt}${at}`;
  }

  get writes(): SeenWrite[] {
    return this.seen.filter((seen) => seen.kind === 'write');
  }

  get reads(): SeenRead[] {
    return this.seen.filter((seen) => seen.kind === 'read');
  }

  config(): ClusterConfig {
    const place = (storeId: string, at: number) => ({ raftId: at + 1, storeId, storeIncarnation: 'i' });
    const replicas = [...this.stores.keys()].map(place);
    const gids = [...this.leaders.keys()].sort((left, right) => left - right);
    return {
      number: this.configNumber,
      cause: 'test',
      author: 'test',
      atMs: 0,
      shards: this.shards.map(({ owner, epoch }) => ({ owner, epoch, intent: undefined, pinned: false })),
      groups: gids.map((gid) => ({ gid, incarnation: 1, replicas, leaving: false })),
      controller: { gid: 0, incarnation: 0, replicas, leaving: false },
      stores: [...this.stores.values()].map((store) => ({
        storeId: store.id,
        incarnation: 'i',
        address: store.address,
        addressVersion: 1,
        zone: '',
      })),
      policy: defaultPolicy,
    };
  }

  configBytes(config: ClusterConfig = this.config()): Uint8Array {
    const out = new Writer();
    writeConfig(out, config);
    return out.finish();
  }

  /** Executes one command as a state machine would and writes its result. */
  execute(out: Writer, gid: number, session: string, floor: number, seq: number, command: Command): void {
    const shard = this.shards[command.shard] as FakeShard;
    if (shard.owner !== gid) {
      writeElsewhere(out, Status.wrongGroup, shard.owner, shard.epoch);
      return;
    }
    const row = shard.rows.get(session) ?? { floor: 0, results: new Map<number, Uint8Array>() };
    const kept = row.results.get(seq);
    if (kept !== undefined) {
      out.raw(kept);
      return;
    }
    if (seq < row.floor) {
      out.u8(Status.belowFloor);
      return;
    }
    const at = out.length;
    this.#run(out, shard, command);
    shard.executed.push(`${session}/${seq}`);
    row.floor = Math.max(row.floor, floor);
    row.results.set(seq, out.bytes.slice(at, out.length));
    for (const old of [...row.results.keys()]) if (old < row.floor) row.results.delete(old);
    shard.rows.set(session, row);
  }

  #run(out: Writer, shard: FakeShard, command: Command): void {
    const name = hexEncode(command.key);
    const found = shard.records.get(name);
    if ((command.flags & 4) !== 0 && (found?.version ?? 0) !== command.version) {
      writeConflict(out, found?.version ?? 0);
      return;
    }
    const version = ++shard.revision;
    if (command.op === Op.deleteRange) {
      const inside = shard.sorted().filter((record) => {
        if (compareBytes(record.key, command.key) < 0) return false;
        return command.value.length === 0 || compareBytes(record.key, command.value) < 0;
      });
      const now = inside.slice(0, command.ttl);
      for (const record of now) shard.records.delete(hexEncode(record.key));
      out.u8(Status.rangeDeleted);
      out.u53(version);
      out.u32(now.length);
      out.bytes16(inside[command.ttl]?.key ?? EMPTY_BYTES);
      return;
    }
    if (command.op === Op.delete) {
      shard.records.delete(name);
      writeOk(out, version);
      return;
    }
    let value = command.value.slice();
    if (command.op === Op.append && found !== undefined)
      value = new Uint8Array([...found.value, ...command.value]);
    if (command.op === Op.increment) {
      const sum =
        Number(utf8Decode(found?.value ?? new Uint8Array([48]))) + Number(utf8Decode(command.value));
      if (Number.isNaN(sum)) {
        out.u8(Status.notANumber);
        return;
      }
      value = new TextEncoder().encode(String(sum));
    }
    const createVersion = found?.createVersion ?? version;
    shard.records.set(name, { key: command.key.slice(), value, version, createVersion });
    writeOk(out, version, command.op === Op.increment ? value : EMPTY_BYTES);
  }

  answer(out: Writer, gid: number, read: Read): void {
    const shard = this.shards[read.shard] as FakeShard;
    if (shard.owner !== gid) {
      writeElsewhere(out, Status.wrongGroup, shard.owner, shard.epoch);
      return;
    }
    if (read.kind === ReadKind.get) {
      const record = shard.records.get(hexEncode(read.key));
      if (record === undefined) {
        out.u8(Status.absent);
        return;
      }
      out.u8(Status.record);
      out.u53(record.version);
      out.u53(record.createVersion);
      out.bytes32(record.value);
      return;
    }
    let inside = shard.sorted().filter((record) => {
      return (
        compareBytes(record.key, read.key) >= 0 && (!read.hasEnd || compareBytes(record.key, read.to) < 0)
      );
    });
    if (read.reverse) inside = inside.reverse();
    let bytes = 0;
    const page = inside.slice(0, read.limit).filter((record, at) => {
      bytes += record.key.length + record.value.length;
      return at === 0 || bytes <= read.bytesMax;
    });
    out.u8(Status.page);
    out.u32(page.length);
    for (const record of page) {
      out.bytes16(record.key);
      out.u53(record.version);
      out.u53(record.createVersion);
      out.bytes32(record.value);
    }
    out.bool(page.length < inside.length);
  }
}

export class FakeStore implements FakePeer {
  readonly id: string;
  readonly address: string;
  readonly #cluster: FakeCluster;
  readonly ends: Set<FakeEnd> = new Set();
  script: (seen: Seen) => Action = () => 'serve';
  /** Answers the hello with a refusal. */
  refusal: { code: string; message: string } | undefined;
  knowsConfig = true;
  issuesSessions = true;
  onAdmin: ((end: FakeEnd, body: Uint8Array) => void) | undefined;
  pings = 0;
  answersPings = true;

  constructor(cluster: FakeCluster, id: string) {
    this.#cluster = cluster;
    this.id = id;
    this.address = `${id}.test:1`;
    cluster.stores.set(id, this);
  }

  start(): void {
    this.#cluster.network.peers.set(this.address, this);
  }

  /** As kill -9: connections end, and nobody answers any more. */
  stop(): void {
    this.#cluster.network.peers.delete(this.address);
    for (const end of this.ends) end.close('reset');
    this.ends.clear();
  }

  onOpen(end: FakeEnd): void {
    this.ends.add(end);
  }

  onClose(end: FakeEnd): void {
    this.ends.delete(end);
  }

  onMessage(end: FakeEnd, bytes: Uint8Array): void {
    if (!this.ends.has(end)) return;
    const { kind, body } = openFrame(bytes, this.#cluster.hasher, limits.clientFrameBytes);
    if (kind === FrameKind.hello) this.#greet(end, body);
    else if (kind === FrameKind.write) this.#write(end, body);
    else if (kind === FrameKind.read) this.#read(end, body);
    else if (kind === FrameKind.admin) this.onAdmin?.(end, body);
    else if (kind === FrameKind.ping) {
      this.pings++;
      if (this.answersPings) this.#send(end, FrameKind.pong, () => {});
    }
  }

  pushConfig(config?: ClusterConfig): void {
    const bytes = this.#cluster.configBytes(config);
    for (const end of this.ends) this.#send(end, FrameKind.config, (out) => out.raw(bytes));
  }

  #greet(end: FakeEnd, body: Uint8Array): void {
    const hello = readHello(body);
    const cluster = this.#cluster;
    const refusal =
      this.refusal ??
      (hello.clusterId !== '' && hello.clusterId !== cluster.clusterId
        ? { code: 'wrong-cluster', message: `this is cluster ${cluster.clusterId}` }
        : undefined);
    if (refusal !== undefined) {
      this.#send(end, FrameKind.refusal, (out) => writeRefusal(out, refusal));
      return;
    }
    const number = ++cluster.sessions;
    const session = makeSession(cluster.time.wallMs(), { u32: () => number });
    this.#send(end, FrameKind.welcome, (out) =>
      writeClientWelcome(out, {
        protocol: 1,
        clusterId: cluster.clusterId,
        storeId: this.id,
        session: this.issuesSessions ? session : EMPTY_BYTES,
        wallMs: cluster.time.wallMs(),
        config: this.knowsConfig ? cluster.configBytes() : EMPTY_BYTES,
      }),
    );
  }

  #write(end: FakeEnd, body: Uint8Array): void {
    const from = new Reader(body);
    const head = readWriteHead(from);
    const entry = body.subarray(WRITE_HEAD_BYTES);
    const entryHead = readEntryHead(entry);
    const commandsFrom = new Reader(entry, entryHead.bodyAt);
    const batch = readBatchHead(commandsFrom);
    const commands: SeenWrite['commands'][number][] = [];
    for (let at = 0; at < entryHead.count; at++) {
      const command = blankCommand();
      readCommand(commandsFrom, command);
      commands.push({ ...command, seq: batch.floor + command.seqOffset, name: utf8Decode(command.key) });
    }
    commandsFrom.expectEnd();
    const { gid, request, timeLeftMs } = head;
    const session = hexEncode(batch.session);
    const { floor } = batch;
    const seen: SeenWrite = {
      kind: 'write',
      store: this.id,
      gid,
      atMs: this.#cluster.time.monoMs(),
      timeLeftMs,
      session,
      floor,
      bytes: entry.length,
      commands,
    };
    this.#respond(end, seen, request, commands.length, (out, at) => {
      const command = commands[at] as SeenWrite['commands'][number];
      this.#cluster.execute(out, gid, session, floor, command.seq, command);
    });
  }

  #read(end: FakeEnd, body: Uint8Array): void {
    const from = new Reader(body);
    const head = readReadHead(from);
    const reads: SeenRead['reads'][number][] = [];
    for (let at = 0; at < head.count; at++) {
      const read = blankRead();
      readRead(from, read);
      reads.push({ ...read, name: utf8Decode(read.key) });
    }
    from.expectEnd();
    const { gid, request } = head;
    const seen: SeenRead = {
      kind: 'read',
      store: this.id,
      gid,
      atMs: this.#cluster.time.monoMs(),
      head,
      reads,
    };
    this.#respond(end, seen, request, reads.length, (out, at) => {
      this.#cluster.answer(out, gid, reads[at] as Read);
    });
  }

  #respond(
    end: FakeEnd,
    seen: Seen,
    request: number,
    count: number,
    serve: (out: Writer, at: number) => void,
  ): void {
    this.#cluster.seen.push(seen);
    const leader = this.#cluster.leaders.get(seen.gid) ?? '';
    const needsLeader = seen.kind === 'write' || seen.head.level === 0;
    let action = this.script(seen);
    if (action === 'serve' && needsLeader && leader !== this.id) action = { notLeader: leader };
    if (action === 'ignore') return;
    if (action === 'break' || action === 'serve-then-break') {
      if (action === 'serve-then-break') for (let at = 0; at < count; at++) serve(new Writer(), at);
      this.ends.delete(end);
      end.close('reset');
      return;
    }
    const act = action;
    this.#send(end, FrameKind.reply, (out) => {
      if (typeof act === 'object' && 'notLeader' in act) {
        writeNotLeader(out, request, act.notLeader, this.#cluster.stores.get(act.notLeader)?.address ?? '');
      } else if (typeof act === 'object' && 'bare' in act) {
        writeBare(out, request, act.bare);
      } else if (typeof act === 'object' && 'wait' in act) {
        writeBatchWait(out, request, act.wait, act.ms, 'too much to do');
      } else {
        const length = beginResults(out, request);
        for (let at = 0; at < count; at++) {
          if (typeof act === 'object' && 'result' in act) act.result(out);
          else serve(out, at);
        }
        endResults(out, length);
      }
    });
  }

  #send(end: FakeEnd, kind: number, write: (out: Writer) => void): void {
    const out = new Writer();
    beginFrame(out);
    write(out);
    end.send(sealFrame(out, kind, this.#cluster.hasher));
  }

  sendFrame(end: FakeEnd, kind: number, write: (out: Writer) => void): void {
    this.#send(end, kind, write);
  }
}

/** Results that scripts like to give. */
export const answers: {
  readonly moved: (gid: number, epoch: number) => (out: Writer) => void;
  readonly notReady: (ms: number) => (out: Writer) => void;
  readonly sessionExpired: (out: Writer) => void;
} = {
  moved: (gid, epoch) => (out) => writeElsewhere(out, Status.moved, gid, epoch),
  notReady: (ms) => (out) => writeWait(out, Status.notReady, ms),
  sessionExpired: (out) => out.u8(Status.sessionExpired),
};
