import { assert } from '@flotilla/base';
import type { Socket, SocketHandler, SocketPath } from '@flotilla/ports';
import type { MemoryListener, MemoryNetwork, MemoryNetworkHub } from './memory-network.ts';

/**
 * One connection of the memory network: two ends and two directions. Everything that one end tells the
 * other, also opening and closing, is a parcel in its direction and takes effect when it arrives, so that
 * nothing overtakes anything.
 */

interface Parcel {
  readonly bytes: number;
  readonly arrive: () => void;
  state: 'travelling' | 'held' | 'arrived';
}

/** What travels from one end to the other, in order. */
export class Direction {
  readonly #hub: MemoryNetworkHub;
  readonly #from: End;
  readonly #to: End;
  #parcels: Parcel[] = [];
  #outstandingBytes = 0;
  /** Nobody takes delivery any more and nobody says so: bytes pile up as in a socket without answers. */
  vanished = false;

  constructor(hub: MemoryNetworkHub, from: End, to: End) {
    this.#hub = hub;
    this.#from = from;
    this.#to = to;
  }

  get outstandingBytes(): number {
    return this.#outstandingBytes;
  }

  get isEmpty(): boolean {
    return this.#parcels.length === 0;
  }

  /** False if the policy broke the connection. */
  push(bytes: number, arrive: () => void): boolean {
    const parcel: Parcel = { bytes, arrive, state: 'held' };
    const blocked = this.#parcels.some((earlier) => earlier.state === 'held');
    this.#parcels.push(parcel);
    this.#outstandingBytes += bytes;
    return blocked || this.#send(parcel);
  }

  /** Asks the policy again for what is held, in order, until it holds something again. */
  release(): boolean {
    for (const parcel of [...this.#parcels]) {
      if (parcel.state !== 'held') continue;
      if (!this.#send(parcel)) return false;
      // `#send` may have changed it, which the compiler cannot know.
      if ((parcel.state as Parcel['state']) === 'held') return true;
    }
    return true;
  }

  /** Drops what has not arrived. */
  clear(): void {
    for (const parcel of this.#parcels) this.#outstandingBytes -= parcel.bytes;
    this.#parcels = [];
  }

  clearHeld(): void {
    this.#parcels = this.#parcels.filter((parcel) => parcel.state !== 'held');
  }

  #send(parcel: Parcel): boolean {
    const delay = this.#hub.policy.route(this.#from.node, this.#to.node, parcel.bytes);
    if (delay === undefined) return false;
    if (delay === Number.POSITIVE_INFINITY) return true;
    parcel.state = 'travelling';
    this.#hub.timers.set(delay, () => {
      parcel.state = 'arrived';
      this.#deliver();
    });
    return true;
  }

  /** Later parcels with shorter delays wait for the earlier ones, as a stream does. */
  #deliver(): void {
    while (this.#parcels[0]?.state === 'arrived') {
      const parcel = this.#parcels.shift() as Parcel;
      if (!this.vanished) this.#outstandingBytes -= parcel.bytes;
      parcel.arrive();
    }
  }
}

export class End implements Socket {
  readonly node: string;
  readonly remoteAddress: string;
  network: MemoryNetwork | undefined;
  handler: SocketHandler | undefined;
  state: 'opening' | 'open' | 'closed' = 'opening';
  readonly #connection: Connection;

  constructor(connection: Connection, node: string, remoteAddress: string) {
    this.#connection = connection;
    this.node = node;
    this.remoteAddress = remoteAddress;
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes(this);
  }

  send(bytes: Uint8Array): void {
    if (this.state === 'closed') return;
    assert(this.state === 'open', 'a socket may send only after onOpen');
    this.#connection.send(this, bytes);
  }

  close(reason: string): void {
    this.#connection.close(this, reason, false);
  }

  terminate(): void {
    this.#connection.close(this, 'terminated', true);
  }

  open(): void {
    if (this.state !== 'opening') return;
    this.state = 'open';
    this.handler?.onOpen();
  }

  receive(copy: Uint8Array): void {
    if (this.state === 'open') this.handler?.onMessage(copy);
  }

  /** Ends it from outside: at most one call of the handler, none once the process has stopped. */
  end(reason: string): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.#report(reason);
  }

  /** Ends it on own wish: the handler hears of it in a later turn. */
  endSoon(hub: MemoryNetworkHub, reason: string): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    hub.timers.soon(() => this.#report(reason));
  }

  /** The process is gone: nobody is left to be told. */
  die(): void {
    this.state = 'closed';
    this.handler = undefined;
  }

  #report(reason: string): void {
    const handler = this.handler;
    this.handler = undefined;
    handler?.onClose(reason);
  }
}

const RESET = 'the connection was reset';

export class Connection {
  readonly dialler: End;
  readonly acceptor: End;
  listener: MemoryListener | undefined;
  readonly #hub: MemoryNetworkHub;
  readonly #toAcceptor: Direction;
  readonly #toDialler: Direction;
  #cancelTimeout: () => void = () => {};
  /** Cut: an end that was not told finds out when it sends. */
  #broken = false;

  constructor(
    hub: MemoryNetworkHub,
    from: MemoryNetwork,
    address: string,
    toNode: string,
    handler: SocketHandler,
  ) {
    this.#hub = hub;
    this.dialler = new End(this, from.node, address);
    this.dialler.network = from;
    this.dialler.handler = handler;
    this.acceptor = new End(this, toNode, from.node);
    this.#toAcceptor = new Direction(hub, this.dialler, this.acceptor);
    this.#toDialler = new Direction(hub, this.acceptor, this.dialler);
  }

  dial(findListener: () => MemoryListener | undefined, path: SocketPath): void {
    this.#push(this.dialler, 0, () => this.#arrived(findListener(), path));
    const timeout = this.#hub.timers.set(this.#hub.dialTimeoutMs, () => {
      if (this.dialler.state === 'opening') this.close(this.dialler, 'no answer in time', true);
    });
    // A timer for each connection that ever was would keep them all.
    this.#cancelTimeout = () => this.#hub.timers.clear(timeout);
  }

  #arrived(listener: MemoryListener | undefined, path: SocketPath): void {
    if (listener === undefined || listener.owner.stopped) {
      this.acceptor.die();
      if (this.#hub.answers(this.acceptor.node))
        this.#push(this.acceptor, 0, () => this.#lost(this.dialler, 'connection refused'));
      return;
    }
    this.listener = listener;
    this.acceptor.network = listener.owner;
    this.acceptor.state = 'open';
    // Before `accept`, which may send already.
    this.#push(this.acceptor, 0, () => {
      this.#cancelTimeout();
      this.dialler.open();
    });
    const handler = listener.accept(this.acceptor, path);
    if (handler === undefined) {
      this.acceptor.close('refused');
      return;
    }
    this.acceptor.handler = handler;
    handler.onOpen();
  }

  send(from: End, bytes: Uint8Array): void {
    const to = this.#other(from);
    this.#push(from, bytes.length, () => {
      if (to.state === 'closed') return this.#strayed(from, to);
      const copy = bytes.slice();
      this.#hub.policy.damage?.(from.node, to.node, copy);
      to.receive(copy);
    });
  }

  close(end: End, reason: string, atOnce: boolean): void {
    if (end.state === 'closed') return;
    const other = this.#other(end);
    end.endSoon(this.#hub, reason);
    if (end === this.dialler) this.#cancelTimeout();
    if (atOnce) this.#out(end).clear();
    this.#push(end, 0, () => this.#lost(other, atOnce ? RESET : reason));
  }

  bufferedBytes(end: End): number {
    return Math.max(0, this.#out(end).outstandingBytes - this.#hub.systemBufferBytes);
  }

  joins(left: string, right: string): boolean {
    const { dialler, acceptor } = this;
    return (
      (dialler.node === left && acceptor.node === right) || (dialler.node === right && acceptor.node === left)
    );
  }

  release(): void {
    if (!this.#toAcceptor.release() || !this.#toDialler.release()) this.cut(() => true);
  }

  /** Breaks it now. An end that is not told finds out when it sends. */
  cut(isTold: (end: End) => boolean): void {
    this.#toAcceptor.clear();
    this.#toDialler.clear();
    for (const end of [this.dialler, this.acceptor]) {
      if (isTold(end)) end.endSoon(this.#hub, RESET);
    }
    this.#broken = true;
    this.#settle();
  }

  stopEnds(network: MemoryNetwork, silently: boolean): void {
    for (const end of [this.dialler, this.acceptor]) {
      if (end.network !== network) continue;
      const alreadyClosed = end.state === 'closed';
      end.die();
      if (silently) {
        this.#out(end).clearHeld();
        this.#out(this.#other(end)).vanished = true;
      } else if (!alreadyClosed) {
        this.#push(end, 0, () => this.#lost(this.#other(end), 'the other end went away'));
      }
    }
    this.#settle();
  }

  #other(end: End): End {
    return end === this.dialler ? this.acceptor : this.dialler;
  }

  #out(end: End): Direction {
    return end === this.dialler ? this.#toAcceptor : this.#toDialler;
  }

  #push(from: End, bytes: number, arrive: () => void): void {
    if (this.#broken) {
      // The other end knows nothing of this connection any more and answers with a reset.
      from.endSoon(this.#hub, RESET);
      this.#settle();
      return;
    }
    const pushed = this.#out(from).push(bytes, () => {
      arrive();
      this.#settle();
    });
    if (!pushed) this.cut(() => true);
  }

  /** Bytes for an end that is closed: its machine says so, unless it has vanished. */
  #strayed(from: End, to: End): void {
    if (from.state === 'closed' || !this.#hub.answers(to.node)) return;
    this.#push(to, 0, () => this.#lost(from, RESET));
  }

  #lost(end: End, reason: string): void {
    if (end === this.dialler) this.#cancelTimeout();
    end.end(reason);
  }

  /** Leaves the hub once neither end nor anything under way needs it any more. */
  #settle(): void {
    if (this.dialler.state !== 'closed' || this.acceptor.state === 'open') return;
    // An acceptor that is still opening has never heard of the dial, and what is gone cannot tell it.
    if (this.#broken || (this.#toAcceptor.isEmpty && this.#toDialler.isEmpty)) this.#hub.forget(this);
  }
}
