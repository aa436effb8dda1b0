import { Reader, type Writer } from '@flotilla/base';
import { ControllerGroup } from '@flotilla/controller';
import type { Host, Replica } from '@flotilla/host';
import { DataGroup, prepareBatch } from '@flotilla/kv';
import type { Hasher, PeerLinks, RarePoint, Socket, SocketHandler } from '@flotilla/ports';
import {
  BatchStatus,
  FrameKind,
  limits,
  ReadLevel,
  readReadHead,
  readWriteHead,
  WRITE_HEAD_BYTES,
  writeBare,
  writeBatchWait,
  writeMalformed,
  writeNotLeader,
} from '@flotilla/wire';
import type { ConfigChange } from '../config-holder.ts';
import type { Throttle } from '../moves/throttle.ts';
import type { Stamps } from '../stamps.ts';
import { ClientConnection, type ConnectionOwner } from './client-connection.ts';
import { RESULT_BYTES_SOFT, ReadWork } from './read-work.ts';
import { type BatchOwner, WriteBatch } from './write-batch.ts';

export interface ServiceOptions extends Omit<ConnectionOwner, 'onFrame' | 'onClosed' | 'onReplies'> {
  readonly host: Host;
  readonly links: PeerLinks;
  readonly hasher: Hasher;
  readonly stamps: Stamps;
  readonly throttle: Throttle;
  readonly now: () => number;
  readonly shardCount: () => number;
  readonly onAdmin: (connection: ClientConnection, body: Uint8Array) => void;
}

/** Takes the requests of clients: walks their batches, hands them to the host, gathers the replies. */
export class RpcService implements BatchOwner {
  readonly #options: ServiceOptions;
  readonly #connections = new Set<ClientConnection>();
  readonly #withReplies = new Set<ClientConnection>();
  #draining = false;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  get connections(): number {
    return this.#connections.size;
  }

  accept(socket: Socket): SocketHandler | undefined {
    const isFull = this.#connections.size >= limits.connections || this.#takes('client-turned-away');
    if (this.#draining || isFull) return undefined;
    const connection = new ClientConnection(
      {
        ...this.#options,
        onFrame: (from, kind, body) => this.#onFrame(from, kind, body),
        onClosed: (closed) => {
          this.#connections.delete(closed);
          this.#withReplies.delete(closed);
        },
        onReplies: (ready) => this.#withReplies.add(ready),
      },
      socket,
    );
    this.#connections.add(connection);
    return connection;
  }

  /** The end of a turn: one reply frame per connection. */
  flush(): void {
    for (const connection of this.#withReplies) connection.flush();
    this.#withReplies.clear();
  }

  pushConfig(change: ConfigChange): void {
    for (const connection of this.#connections) connection.pushConfig(change);
  }

  /** Takes no new clients; those that are here keep their answers. */
  beginDrain(): void {
    this.#draining = true;
  }

  get inFlight(): number {
    let count = 0;
    for (const connection of this.#connections) count += connection.inFlight;
    return count;
  }

  closeAll(reason: string): void {
    for (const connection of [...this.#connections]) connection.close(reason);
  }

  stampFor(replica: Replica): number {
    const { machine } = replica;
    const applied =
      machine instanceof DataGroup || machine instanceof ControllerGroup ? machine.lastStamp : 0;
    return this.#options.stamps.next(replica, applied);
  }

  writeNotLeader(out: Writer, request: number, replica: Replica): void {
    const leader = replica.leaderStore() ?? '';
    const address = leader === '' ? '' : (this.#options.links.addressOf(leader) ?? '');
    writeNotLeader(out, request, leader === this.#options.storeId ? '' : leader, address);
  }

  #onFrame(connection: ClientConnection, kind: number, body: Uint8Array): void {
    switch (kind) {
      case FrameKind.write:
        this.#write(connection, body);
        break;
      case FrameKind.read:
        this.#read(connection, body);
        break;
      case FrameKind.admin:
        this.#options.onAdmin(connection, body);
        break;
      case FrameKind.ping:
        connection.sendFrame(FrameKind.pong, body);
        break;
      default:
      // A newer client may say things that this store need not understand.
    }
    // What was refused at once has nobody else to send it: no turn may follow.
    this.flush();
  }

  #write(connection: ClientConnection, body: Uint8Array): void {
    const { request, gid, timeLeftMs } = readWriteHead(new Reader(body));
    connection.inFlight++;
    const replica = this.#admit(connection, request, gid, timeLeftMs);
    if (replica === undefined) return;
    if (!replica.isLeader) {
      this.writeNotLeader(connection.replies, request, replica);
      connection.replied();
      return;
    }
    const entry = body.subarray(WRITE_HEAD_BYTES);
    const placement = { shardCount: this.#options.shardCount(), hasher: this.#options.hasher };
    const malformed = prepareBatch(entry, 0, placement, this.#options.throttle.admitsFor(gid));
    if (malformed !== undefined) {
      writeMalformed(connection.replies, request, malformed);
      connection.replied();
      return;
    }
    this.#options.host.propose(replica, new WriteBatch(this, replica, connection, request, entry));
  }

  #read(connection: ClientConnection, body: Uint8Array): void {
    const from = new Reader(body);
    const head = readReadHead(from);
    connection.inFlight++;
    const replica = this.#admit(connection, head.request, head.gid, head.timeLeftMs);
    if (replica === undefined) return;
    if (head.count > limits.batchCommands) {
      const why = `a batch of ${head.count} reads (limit ${limits.batchCommands})`;
      writeMalformed(connection.replies, head.request, why);
      connection.replied();
      return;
    }
    const now = this.#options.now();
    const bytesMax = this.#takes('read-page-cut') ? 0 : RESULT_BYTES_SOFT;
    const work = new ReadWork(this, replica, connection, { head, body, at: from.at, bytesMax }, now);
    if (head.level === ReadLevel.stale) {
      this.#readStale(replica, work, connection, head.request, head.maxAgeMs, now);
    } else if (head.level === ReadLevel.linearizable && !replica.isLeader) {
      work.refused({ kind: 'not-leader' });
    } else {
      this.#options.host.read(replica, work);
    }
  }

  #readStale(
    replica: Replica,
    work: ReadWork,
    connection: ClientConnection,
    request: number,
    maxAgeMs: number,
    now: number,
  ): void {
    const staleness = replica.stalenessMs(now);
    if (staleness <= maxAgeMs) {
      this.#options.host.readNow(replica, work);
      return;
    }
    const why = `this replica may be ${Number.isFinite(staleness) ? Math.ceil(staleness) : 'any'} ms behind`;
    writeBatchWait(connection.replies, request, BatchStatus.notNow, 50, why);
    connection.replied();
  }

  #takes(point: RarePoint): boolean {
    return this.#options.rare?.take(point) === true;
  }

  /** The replica that the batch is for; undefined if it was answered. */
  #admit(
    connection: ClientConnection,
    request: number,
    gid: number,
    timeLeftMs: number,
  ): Replica | undefined {
    const { replies } = connection;
    const replica = gid === 0 ? undefined : this.#options.host.replica(gid);
    if (connection.inFlight > limits.inFlightRequests) {
      const what = `this connection has ${limits.inFlightRequests} requests in flight`;
      writeBatchWait(replies, request, BatchStatus.overloaded, 50, what);
    } else if (timeLeftMs === 0) {
      writeBare(replies, request, BatchStatus.expired);
    } else if (replica === undefined || replica.broken !== undefined) {
      writeBare(replies, request, BatchStatus.noGroup);
    } else {
      return replica;
    }
    connection.replied();
    return undefined;
  }
}
