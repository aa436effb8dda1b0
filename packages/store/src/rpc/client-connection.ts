import { DecodeError, EMPTY_BYTES, Writer } from '@flotilla/base';
import {
  type Hasher,
  type LogSink,
  neverRare,
  type RareBranches,
  type Socket,
  type SocketHandler,
  type TimerId,
  type Timers,
} from '@flotilla/ports';
import {
  beginFrame,
  FRAME_HEADER_BYTES,
  FrameKind,
  limits,
  openFrame,
  protocol,
  Role,
  readHello,
  sealFrame,
  writeClientWelcome,
  writeRefusal,
} from '@flotilla/wire';
import type { ConfigChange } from '../config-holder.ts';

const HELLO_MS = 3_000;
/** A reply frame that has grown so far leaves before the turn ends. */
const REPLY_BYTES_SOFT = 262_144;
/** A client that does not read its replies is cut off. */
const BUFFERED_BYTES_MAX = 16_777_216;

/** What a connection needs from the service that it belongs to. */
export interface ConnectionOwner {
  readonly hasher: Hasher;
  readonly timers: Timers;
  readonly log: LogSink;
  readonly clusterId: () => string;
  readonly storeId: string;
  readonly wallMs: () => number;
  readonly newSession: () => Uint8Array;
  readonly config: () => { readonly number: number; readonly encoded: Uint8Array };
  readonly onFrame: (connection: ClientConnection, kind: number, body: Uint8Array) => void;
  readonly onClosed: (connection: ClientConnection) => void;
  /** The connection has replies to send at the end of this turn. */
  readonly onReplies: (connection: ClientConnection) => void;
  readonly rare?: RareBranches | undefined;
}

/**
 * One client's socket. Replies of a turn gather in one frame. Whatever does not follow the protocol closes
 * this socket with a reason in the log, and nothing else happens.
 */
export class ClientConnection implements SocketHandler {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #rare: RareBranches;
  readonly #replies: Writer = new Writer(1024);
  #state: 'greeting' | 'open' | 'closed' = 'greeting';
  #helloTimer: TimerId;
  /** Number of the config that went to this client last. */
  #toldConfig = 0;
  /** Batches taken and not answered. */
  inFlight = 0;

  constructor(owner: ConnectionOwner, socket: Socket) {
    this.#owner = owner;
    this.#socket = socket;
    this.#rare = owner.rare ?? neverRare;
    this.#helloTimer = owner.timers.set(HELLO_MS, () => this.#cut('no hello in time'));
    beginFrame(this.#replies);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  onOpen(): void {}

  onMessage(message: Uint8Array): void {
    if (this.#state === 'closed') return;
    try {
      const { kind, body } = openFrame(
        message,
        this.#owner.hasher,
        limits.clientFrameBytes + FRAME_HEADER_BYTES,
      );
      if (this.#state === 'open') this.#owner.onFrame(this, kind, body);
      else this.#greeted(kind, body);
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      this.#cut(cause.message);
    }
  }

  onClose(_reason: string): void {
    if (this.#state === 'closed') return;
    this.#finish();
  }

  /** Where results are written; call {@link replied} afterwards. */
  get replies(): Writer {
    return this.#replies;
  }

  /** One batch is answered in {@link replies}. */
  replied(): void {
    this.inFlight--;
    if (this.#state !== 'open') {
      beginFrame(this.#replies);
      return;
    }
    const isFull = this.#replies.length > REPLY_BYTES_SOFT;
    if (isFull || this.#rare.take('reply-at-once')) this.flush();
    else this.#owner.onReplies(this);
  }

  /** Sends what gathered. */
  flush(): void {
    if (this.#state !== 'open' || this.#replies.length === FRAME_HEADER_BYTES) return;
    this.#socket.send(sealFrame(this.#replies, FrameKind.reply, this.#owner.hasher));
    beginFrame(this.#replies);
    this.#cutIfSlow();
  }

  #cutIfSlow(): void {
    const isSlow = this.#socket.bufferedBytes > BUFFERED_BYTES_MAX;
    if (isSlow || this.#rare.take('client-cut')) this.#cut('it does not read its replies');
  }

  /** The delta alone, if this client was last told the config that it starts from. */
  pushConfig(change: ConfigChange): void {
    if (this.#state !== 'open' || this.#rare.take('client-config-skipped')) return;
    const isNext = change.delta !== undefined && this.#toldConfig === change.from;
    if (isNext && !this.#rare.take('client-config-whole')) {
      this.sendFrame(FrameKind.configDelta, change.delta);
    } else {
      this.sendFrame(FrameKind.config, change.encoded);
    }
    this.#toldConfig = change.config.number;
  }

  sendFrame(kind: number, body: Uint8Array): void {
    if (this.#state !== 'open') return;
    const out = new Writer(FRAME_HEADER_BYTES + body.length);
    beginFrame(out);
    out.raw(body);
    this.#socket.send(sealFrame(out, kind, this.#owner.hasher, true));
    this.#cutIfSlow();
  }

  close(reason: string): void {
    if (this.#state === 'closed') return;
    this.flush();
    this.#finish();
    this.#socket.close(reason);
  }

  #greeted(kind: number, body: Uint8Array): void {
    if (kind !== FrameKind.hello) throw new DecodeError(`frame kind ${kind} before a hello`, { kind });
    const hello = readHello(body);
    const cluster = this.#owner.clusterId();
    if (hello.role !== Role.client) {
      this.#refuse('wrong-role', 'this path takes clients only');
    } else if (hello.protocolMin > protocol.max || hello.protocolMax < protocol.min) {
      const theirs = `${hello.protocolMin} to ${hello.protocolMax}`;
      this.#refuse(
        'wrong-protocol',
        `store ${this.#owner.storeId} speaks protocol ${protocol.min} to ${protocol.max}, the client ${theirs}: update the older one`,
      );
    } else if (cluster === '') {
      this.#refuse(
        'no-cluster',
        `store ${this.#owner.storeId} belongs to no cluster yet: try again when it has joined one`,
      );
    } else if (hello.clusterId !== '' && hello.clusterId !== cluster) {
      this.#refuse(
        'wrong-cluster',
        `store ${this.#owner.storeId} belongs to cluster ${cluster}, the client to ${hello.clusterId}: check the endpoints`,
      );
    } else {
      this.#welcome(Math.min(hello.protocolMax, protocol.max));
    }
  }

  #welcome(version: number): void {
    const owner = this.#owner;
    owner.timers.clear(this.#helloTimer);
    this.#state = 'open';
    const config = owner.config();
    this.#toldConfig = config.number;
    const out = new Writer(4096);
    beginFrame(out);
    writeClientWelcome(out, {
      protocol: version,
      clusterId: owner.clusterId(),
      storeId: owner.storeId,
      session: this.#rare.take('session-withheld') ? EMPTY_BYTES : owner.newSession(),
      wallMs: owner.wallMs(),
      config: config.encoded,
    });
    this.#socket.send(sealFrame(out, FrameKind.welcome, owner.hasher, true));
  }

  #refuse(code: string, message: string): void {
    const out = new Writer(256);
    beginFrame(out);
    writeRefusal(out, { code, message });
    this.#socket.send(sealFrame(out, FrameKind.refusal, this.#owner.hasher, true));
    this.#owner.log.log('info', 'client-refused', { from: this.remoteAddress, code });
    this.#finish();
    this.#socket.close(code);
  }

  #cut(why: string): void {
    if (this.#state === 'closed') return;
    this.#owner.log.log('warn', 'client-cut', { from: this.remoteAddress, why });
    this.#finish();
    this.#socket.terminate();
  }

  #finish(): void {
    this.#owner.timers.clear(this.#helloTimer);
    this.#state = 'closed';
    this.#owner.onClosed(this);
  }
}
