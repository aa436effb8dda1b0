import { DecodeError, must, Reader, type StoreId, type Writer } from '@flotilla/base';
import type { RarePoint } from '@flotilla/ports';
import {
  type BatchReply,
  type ClientWelcome,
  FrameKind,
  readAdmin,
  readBatchReply,
  SESSION_BYTES,
  sealFrame,
  sessionLimits,
} from '@flotilla/wire';
import { fullJitterMs } from './back-off.ts';
import { Channel, type ChannelEnd, type ChannelEvents } from './channel.ts';
import { type ClientPorts, tuning } from './options.ts';
import { Session } from './session.ts';

/**
 * Everything that the client has with one store: at most one connection, opened when it is needed and again
 * after a jittered pause, the requests on their way over it, and the session that this store issued.
 */

/** What waits for an answer under one request number. */
export interface Pending {
  readonly operations: number;
  onReply(reply: BatchReply): void;
  onAdminReply(cold: Uint8Array): void;
  /** The connection ended first. */
  onLost(reason: string): void;
}

export interface LinkOwner {
  readonly ports: ClientPorts;
  /** Empty until a store has said it. */
  readonly clusterId: string;
  /** A reason to close again, or undefined to take the store. */
  onWelcome(link: Link, welcome: ClientWelcome): { refusal: string; reason: string } | undefined;
  onUp(link: Link): void;
  onDown(link: Link): void;
  onConfig(bytes: Uint8Array): void;
  onConfigDelta(bytes: Uint8Array): void;
  /** Replies were handled: there may be room again. */
  onReplies(): void;
}

const makeReader = (bytes: Uint8Array): Reader => new Reader(bytes);

export class Link implements ChannelEvents {
  storeId: StoreId | undefined;
  /** Addresses to try, in turn. */
  addresses: string[];
  session: Session | undefined;
  /** Commands and reads on their way. */
  inFlight = 0;
  /** Why the last attempt or connection ended. */
  lastEnd: ChannelEnd | undefined;
  lastAddress = '';
  readonly pending: Map<number, Pending> = new Map();
  readonly #owner: LinkOwner;
  #channel: Channel | undefined;
  #turn = 0;
  #request = 0;
  #failures = 0;
  #retryAtMs = 0;
  #dialledMs = 0;
  #askedMs = 0;
  #renewal: Channel | undefined;
  #renewAtMs = 0;
  #closed = false;

  constructor(owner: LinkOwner, address: string, storeId?: StoreId) {
    this.#owner = owner;
    this.addresses = [address];
    this.storeId = storeId;
  }

  get isOpen(): boolean {
    return this.#channel?.isOpen === true;
  }

  /** When a new attempt is allowed. */
  get retryAtMs(): number {
    return this.#retryAtMs;
  }

  get isDialling(): boolean {
    return this.#channel !== undefined && !this.isOpen;
  }

  /** `soon` also begins to dial if that is allowed now; `dead` is worth no waiting. */
  readiness(nowMs: number): 'open' | 'soon' | 'dead' {
    if (this.isOpen) return 'open';
    if (this.#channel !== undefined) return nowMs - this.#dialledMs < tuning.skip ? 'soon' : 'dead';
    if (this.#closed || nowMs < this.#retryAtMs) return 'dead';
    this.#dial(nowMs);
    return this.isDialling ? 'soon' : 'dead';
  }

  /** The address to try first from now on, for example after the config changed. */
  prefer(address: string): void {
    if (this.addresses[0] === address) return;
    this.addresses = [address, ...this.addresses.filter((other) => other !== address)].slice(0, 4);
    this.#turn = 0;
    this.#retryAtMs = 0;
  }

  nextRequest(): number {
    this.#request = (this.#request + 1) >>> 0;
    return this.#request;
  }

  /** Seals and sends the frame; the answer goes to `pending`. */
  request(out: Writer, kind: number, number: number, pending: Pending): void {
    const channel = must(this.#channel, 'a request needs an open connection');
    if (this.pending.size === 0) channel.heardMs = this.#owner.ports.clock.monoMs();
    this.pending.set(number, pending);
    this.inFlight += pending.operations;
    channel.send(sealFrame(out, kind, this.#owner.ports.hasher, true));
  }

  /** Keeps watch over a silent connection. */
  pulse(nowMs: number): void {
    const channel = this.#channel;
    if (channel === undefined || !channel.isOpen) return;
    const silent = nowMs - channel.heardMs;
    const isBusy = this.pending.size > 0;
    const isDead = silent >= (isBusy ? tuning.deadBusy : tuning.deadIdle);
    if (isDead || this.#takes('link-given-up')) {
      channel.fail('lost', `the store was silent for ${Math.round(silent)} ms`);
      return;
    }
    const ask = isBusy ? tuning.askBusy : tuning.askIdle;
    if (silent < ask || nowMs - this.#askedMs < ask) return;
    this.#askedMs = nowMs;
    channel.sendBare(FrameKind.ping);
  }

  /** A session that may take new numbers, if this store gave one; renews it in the background as it ages. */
  freshSession(nowMs: number): Session | undefined {
    const session = this.session;
    const isFresh = session?.isFresh(nowMs) === true;
    const isOld = !isFresh || nowMs - (session as Session).bornMs >= tuning.renewAt * sessionLimits.use;
    if (isOld || this.#takes('session-renewed-early')) this.renew(nowMs);
    return isFresh ? session : undefined;
  }

  /** Writes wait because one that is stuck holds the floor: another session lets them pass it. */
  onWindowFull(nowMs: number): void {
    const session = this.session;
    if (session?.isFull !== true) return;
    session.fullSinceMs ??= nowMs;
    if (nowMs - session.fullSinceMs >= tuning.stuckWindow) this.renew(nowMs);
  }

  /** Fetches another session: they are issued in handshakes only, so over a short connection of its own. */
  renew(nowMs: number): void {
    if (this.#closed || this.#renewal !== undefined || !this.isOpen || nowMs < this.#renewAtMs) return;
    this.#renewAtMs = nowMs + 1_000;
    const { ports, clusterId } = this.#owner;
    const address = (this.#channel as Channel).address;
    this.#renewal = new Channel(ports, address, clusterId, {
      onWelcome: (welcome, channel) => {
        this.#renewal = undefined;
        channel.close('only a session was needed');
        if (welcome.storeId !== this.storeId) return;
        this.#takeSession(welcome, channel.helloMs);
        this.#owner.onReplies();
      },
      onFrame: () => {},
      onEnd: () => {
        this.#renewal = undefined;
      },
    });
  }

  close(reason: string): void {
    this.#closed = true;
    this.#renewal?.close(reason);
    this.#renewal = undefined;
    this.#channel?.close(reason);
    this.#channel = undefined;
    this.#loseAll(reason);
  }

  onWelcome(welcome: ClientWelcome, channel: Channel): void {
    if (this.storeId !== undefined && this.storeId !== welcome.storeId) {
      const reason = `store ${welcome.storeId} answers there, not ${this.storeId}`;
      channel.fail('refused', reason, 'wrong-store');
      return;
    }
    const objection = this.#owner.onWelcome(this, welcome);
    if (objection !== undefined) {
      channel.fail('refused', objection.reason, objection.refusal);
      return;
    }
    this.storeId = welcome.storeId;
    this.#failures = 0;
    this.lastEnd = undefined;
    // A session that is still young is kept over reconnects: each one costs a row in every shard it writes to.
    const age = this.session === undefined ? Number.POSITIVE_INFINITY : channel.helloMs - this.session.bornMs;
    if (age > sessionLimits.use / 2 || this.session?.expired === true)
      this.#takeSession(welcome, channel.helloMs);
    this.#owner.onUp(this);
  }

  onFrame(kind: number, body: Uint8Array): void {
    if (kind === FrameKind.reply) {
      const from = new Reader(body);
      while (from.remaining > 0) {
        const reply = readBatchReply(from, makeReader);
        const pending = this.#takePending(reply.request);
        if (this.#takes('reply-lost')) pending?.onLost('its answer was lost');
        else pending?.onReply(reply);
      }
      this.#owner.onReplies();
    } else if (kind === FrameKind.adminReply) {
      const { request, cold } = readAdmin(body);
      this.#takePending(request)?.onAdminReply(cold);
      this.#owner.onReplies();
    } else if (kind === FrameKind.config) {
      this.#owner.onConfig(body);
    } else if (kind === FrameKind.configDelta) {
      this.#owner.onConfigDelta(body);
    } else if (kind !== FrameKind.pong) {
      throw new DecodeError(`frame kind ${kind} is not for clients`, { kind });
    }
  }

  onEnd(end: ChannelEnd, channel: Channel): void {
    if (channel !== this.#channel) return;
    const now = this.#owner.ports.clock.monoMs();
    this.#channel = undefined;
    this.lastEnd = end;
    this.lastAddress = channel.address;
    this.#turn++;
    const pauseMs = fullJitterMs(this.#owner.ports.random, this.#failures++);
    this.#retryAtMs = this.#takes('dial-without-pause') ? now : now + pauseMs;
    this.#loseAll(end.reason);
    this.#owner.onDown(this);
  }

  #takes(point: RarePoint): boolean {
    return this.#owner.ports.rare?.take(point) === true;
  }

  #dial(nowMs: number): void {
    const address = this.addresses[this.#turn % this.addresses.length] as string;
    this.#dialledMs = nowMs;
    this.#channel = new Channel(this.#owner.ports, address, this.#owner.clusterId, this);
  }

  #takeSession(welcome: ClientWelcome, helloMs: number): void {
    // A store whose clock is off issues none.
    if (welcome.session.length === SESSION_BYTES) this.session = new Session(welcome.session, helloMs);
  }

  #takePending(request: number): Pending | undefined {
    const pending = this.pending.get(request);
    if (pending === undefined) return undefined;
    this.pending.delete(request);
    this.inFlight -= pending.operations;
    return pending;
  }

  #loseAll(reason: string): void {
    const lost = [...this.pending.values()];
    this.pending.clear();
    this.inFlight = 0;
    for (const pending of lost) pending.onLost(reason);
  }
}
