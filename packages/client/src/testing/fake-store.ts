import { EMPTY_BYTES, hexEncode, Reader, utf8Decode, Writer } from '@flotilla/base';
import {
  BatchStatus,
  beginFrame,
  beginResults,
  blankCommand,
  blankRead,
  type ClusterConfig,
  type Command,
  endResults,
  FrameKind,
  limits,
  makeSession,
  openFrame,
  type Read,
  type ReadHead,
  readBatchHead,
  readCommand,
  readEntryHead,
  readHello,
  readRead,
  readReadHead,
  readWriteHead,
  Status,
  sealFrame,
  WRITE_HEAD_BYTES,
  writeBare,
  writeBatchWait,
  writeClientWelcome,
  writeElsewhere,
  writeNotLeader,
  writeRefusal,
  writeWait,
} from '@flotilla/wire';
import type { FakeCluster } from './fake-cluster.ts';
import type { FakeEnd, FakePeer } from './fake-network.ts';

/** One store of the fake cluster: reads frames, keeps what it saw, and serves or does what its script says. */

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
      this.#cluster.shard(command.shard).execute(out, gid, session, floor, command.seq, command);
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
      const read = reads[at] as Read;
      this.#cluster.shard(read.shard).answer(out, gid, read);
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
    const isHere = this.#cluster.storesOf(seen.gid).includes(this.id);
    if (action === 'serve' && (!isHere || this.#cluster.dismantled.has(seen.gid)))
      action = { bare: BatchStatus.noGroup };
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
  readonly wrongGroup: (gid: number, epoch: number) => (out: Writer) => void;
  readonly notReady: (ms: number) => (out: Writer) => void;
  readonly sessionExpired: (out: Writer) => void;
} = {
  moved: (gid, epoch) => (out) => writeElsewhere(out, Status.moved, gid, epoch),
  wrongGroup: (gid, epoch) => (out) => writeElsewhere(out, Status.wrongGroup, gid, epoch),
  notReady: (ms) => (out) => writeWait(out, Status.notReady, ms),
  sessionExpired: (out) => out.u8(Status.sessionExpired),
};
