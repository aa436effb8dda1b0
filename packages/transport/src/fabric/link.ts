import { assert, DecodeError, Writer } from '@flotilla/base';
import {
  type Clock,
  type Compressor,
  type Hasher,
  Lane,
  type RareBranches,
  type Socket,
  type SocketHandler,
  type TimerId,
  type Timers,
  type Urgency,
} from '@flotilla/ports';
import {
  beginFrame,
  FRAME_HEADER_BYTES,
  FrameKind,
  type Hello,
  limits,
  openFrame,
  sealFrame,
} from '@flotilla/wire';
import { LaneQueue } from './lane-queue.ts';
import { Packer } from './packing.ts';
import type { Traffic } from './traffic.ts';
import type { FabricTuning } from './tuning.ts';

/** What a link needs from the fabric that made it. */
export interface LinkOwner {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly hasher: Hasher;
  readonly compressor: Compressor;
  readonly tuning: FabricTuning;
  readonly traffic: Traffic;
  readonly rare: RareBranches;
  /** The socket of a dialled link works: time to say hello. */
  opened(link: Link): void;
  /** One frame, of a link in whatever phase. `DecodeError` from here closes the link. */
  received(link: Link, kind: number, body: Uint8Array): void;
  /** Called once, as the link stops to be one. */
  closed(link: Link, reason: string): void;
}

/**
 * One socket to another store: frames in and out, the queue in front of it, and signs of life. It knows
 * nothing of who the other store is; the fabric decides that from the first frames.
 */
export class Link implements SocketHandler {
  /** Of an accepted link only known from its hello. */
  lane: number;
  readonly dialled: boolean;
  phase: 'connecting' | 'greeting' | 'up' | 'closed' = 'connecting';
  /** What the other side said of itself, once the link is up. */
  hello: Hello | undefined;
  /** Monotonic time of the last frame, and of becoming up. */
  heardAtMs: number;
  upAtMs = 0;
  /** The cluster that the other side belongs to, as it said last; empty if to none. */
  clusterId = '';
  /** Its end is a matter of course and not worth a line in the log. */
  quiet = false;
  /** Revision of the address book that the other side has heard of. */
  bookRevision = 0;
  readonly #owner: LinkOwner;
  readonly #packer: Packer;
  #queue: LaneQueue;
  #socket: Socket | undefined;
  #deadline: TimerId | undefined;
  /** When the last frame before the deadline was set had arrived. */
  #silentSince = 0;
  #drain: TimerId | undefined;

  constructor(owner: LinkOwner, lane: number, dialled: boolean) {
    this.#owner = owner;
    this.lane = lane;
    this.dialled = dialled;
    this.heardAtMs = owner.clock.monoMs();
    this.#packer = new Packer(owner.compressor, owner.tuning.packing, owner.rare);
    this.#queue = new LaneQueue(0, 0);
  }

  get remoteAddress(): string {
    return this.#socket?.remoteAddress ?? '';
  }

  /** Bytes on their way out, in the queue and in the socket. */
  get queuedBytes(): number {
    return this.#queue.bytes + (this.#socket?.bufferedBytes ?? 0);
  }

  attach(socket: Socket): void {
    this.#socket = socket;
    if (this.phase === 'closed') socket.close('not wanted any more');
  }

  /** From here on the other side has limited time to say who it is. */
  startGreeting(): void {
    this.phase = 'greeting';
    this.expectWithin(this.#owner.tuning.handshakeMs, 'no handshake in time');
  }

  becomeUp(hello: Hello): void {
    assert(this.phase === 'greeting', () => `a link in phase ${this.phase} became up`);
    this.#clearDeadline();
    this.phase = 'up';
    this.hello = hello;
    this.clusterId = hello.clusterId;
    const { consensusQueueBytes, bulkQueueBytes, urgentReserveBytes } = this.#owner.tuning;
    const queueBytes = this.lane === Lane.consensus ? consensusQueueBytes : bulkQueueBytes;
    this.#queue = new LaneQueue(queueBytes, urgentReserveBytes);
    this.upAtMs = this.#owner.clock.monoMs();
  }

  /** Closes the link unless a frame arrives within the time. A check that still waits is not prolonged. */
  expectWithin(ms: number, reason: string): void {
    if (this.#deadline !== undefined && this.#silentSince === this.heardAtMs) return;
    this.#clearDeadline();
    this.#silentSince = this.heardAtMs;
    this.#deadline = this.#owner.timers.set(ms, () => {
      this.#deadline = undefined;
      if (this.phase === 'greeting' || this.heardAtMs === this.#silentSince) this.abort(reason);
    });
  }

  onOpen(): void {
    if (this.phase === 'connecting') this.#owner.opened(this);
  }

  onMessage(bytes: Uint8Array): void {
    if (this.phase === 'closed') return;
    const { traffic } = this.#owner;
    this.heardAtMs = this.#owner.clock.monoMs();
    traffic.framesReceived++;
    traffic.bytesReceived += bytes.length;
    try {
      const { kind, body } = openFrame(bytes, this.#owner.hasher, limits.peerFrameBytes + FRAME_HEADER_BYTES);
      if (kind === FrameKind.packed && this.phase === 'up') {
        const unpacked = this.#packer.unpack(body);
        this.#owner.received(this, unpacked.kind, unpacked.body);
      } else {
        this.#owner.received(this, kind, body);
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      traffic.framesBad++;
      this.abort(`a bad frame: ${error.message}`);
    }
  }

  onClose(reason: string): void {
    this.#end(reason);
  }

  /** Closes in order. */
  close(reason: string): void {
    if (this.phase === 'closed') return;
    this.#socket?.close(reason);
    this.#end(reason);
  }

  /** Closes at once: the other side is dead, or not to be listened to. */
  abort(reason: string): void {
    if (this.phase === 'closed') return;
    this.#socket?.terminate();
    this.#end(reason);
  }

  /** Queues one frame; false if there is no room for it. */
  send(kind: number, body: Uint8Array, urgency: Urgency): boolean {
    assert(body.length <= limits.peerFrameBytes, () => `a body of ${body.length} bytes does not fit a frame`);
    const socket = this.#socket;
    if (this.phase !== 'up' || socket === undefined) return false;
    const { rare, tuning, traffic } = this.#owner;
    const waits = rare.take('frame-waits');
    // Checked before the work of framing: a full queue is when there is no time to waste.
    if (this.#queue.isEmpty && socket.bufferedBytes < tuning.socketBytes && !waits) {
      this.#hand(socket, this.#frame(kind, body));
      return true;
    }
    if (rare.take('frame-dropped') || !this.#queue.push(this.#frame(kind, body), urgency)) {
      traffic.framesDropped++;
      return false;
    }
    if (waits) this.#flushLater();
    else this.#flush();
    return true;
  }

  /** Sends past the queue: handshake and pings, which are small and must not wait. */
  sendNow(kind: number, write: (out: Writer) => void): void {
    if (this.phase === 'closed' || this.#socket === undefined) return;
    const out = new Writer();
    beginFrame(out);
    write(out);
    this.#hand(this.#socket, sealFrame(out, kind, this.#owner.hasher, true));
  }

  #frame(kind: number, body: Uint8Array): Uint8Array {
    const packed = this.#packer.pack(this.lane, kind, body, this.remoteAddress);
    const sent = packed ?? body;
    const out = new Writer(FRAME_HEADER_BYTES + sent.length);
    beginFrame(out);
    out.raw(sent);
    return sealFrame(out, packed === undefined ? kind : FrameKind.packed, this.#owner.hasher, true);
  }

  #hand(socket: Socket, frame: Uint8Array): void {
    this.#owner.traffic.framesSent++;
    this.#owner.traffic.bytesSent += frame.length;
    socket.send(frame);
  }

  /** Hands over what the socket has room for. Sockets do not say when they have drained, so we look again. */
  #flush(): void {
    const socket = this.#socket;
    if (socket === undefined || this.phase !== 'up') return;
    const { tuning } = this.#owner;
    while (!this.#queue.isEmpty && socket.bufferedBytes < tuning.socketBytes) {
      this.#hand(socket, this.#queue.shift() as Uint8Array);
    }
    if (!this.#queue.isEmpty) this.#flushLater();
  }

  #flushLater(): void {
    const { tuning, timers } = this.#owner;
    this.#drain ??= timers.set(tuning.drainPollMs, () => {
      this.#drain = undefined;
      this.#flush();
    });
  }

  #clearDeadline(): void {
    if (this.#deadline !== undefined) this.#owner.timers.clear(this.#deadline);
    this.#deadline = undefined;
  }

  #end(reason: string): void {
    if (this.phase === 'closed') return;
    this.#clearDeadline();
    if (this.#drain !== undefined) this.#owner.timers.clear(this.#drain);
    this.#drain = undefined;
    this.#queue.clear();
    // First, so that whatever the fabric does about it finds a link that is closed.
    this.phase = 'closed';
    this.#owner.closed(this, reason);
  }
}
