import type { Network, Socket, SocketHandler, SocketPath, Timers } from '@flotilla/ports';

/** The least network that the tests of the client need: every message takes a millisecond, in order. */

export interface FakePeer {
  onOpen(end: FakeEnd): void;
  onMessage(end: FakeEnd, bytes: Uint8Array): void;
  onClose(end: FakeEnd): void;
}

const LATENCY_MS = 1;

/** The server's side of one connection. */
export class FakeEnd {
  readonly #timers: Timers;
  readonly #client: FakeSocket;
  constructor(timers: Timers, client: FakeSocket) {
    this.#timers = timers;
    this.#client = client;
  }
  send(bytes: Uint8Array): void {
    this.#timers.set(LATENCY_MS, () => this.#client.receive(bytes));
  }
  close(reason: string): void {
    this.#timers.set(LATENCY_MS, () => this.#client.lose(reason));
  }
}

class FakeSocket implements Socket {
  readonly remoteAddress: string;
  readonly bufferedBytes = 0;
  peer: FakePeer | undefined;
  readonly end: FakeEnd;
  readonly #timers: Timers;
  readonly #handler: SocketHandler;
  #state: 'opening' | 'open' | 'closed' = 'opening';

  constructor(timers: Timers, address: string, handler: SocketHandler) {
    this.remoteAddress = address;
    this.#timers = timers;
    this.#handler = handler;
    this.end = new FakeEnd(timers, this);
  }

  open(peer: FakePeer): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.peer = peer;
    peer.onOpen(this.end);
    this.#handler.onOpen();
  }

  send(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#timers.set(LATENCY_MS, () => this.peer?.onMessage(this.end, bytes));
  }

  receive(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#handler.onMessage(bytes.slice());
  }

  lose(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#handler.onClose(reason);
  }

  close(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#timers.set(LATENCY_MS, () => this.peer?.onClose(this.end));
    this.#timers.soon(() => this.#handler.onClose(reason));
  }

  terminate(): void {
    this.close('terminated');
  }
}

export class FakeNetwork implements Network {
  /** Who answers at an address; `silent` swallows the attempt. Anything else is refused. */
  readonly peers: Map<string, FakePeer | 'silent'> = new Map();
  readonly dials: string[] = [];
  readonly #timers: Timers;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  dial(address: string, _path: SocketPath, handler: SocketHandler): Socket {
    this.dials.push(address);
    const socket = new FakeSocket(this.#timers, address, handler);
    this.#timers.set(LATENCY_MS, () => {
      const peer = this.peers.get(address);
      if (peer === undefined) socket.lose('connection refused');
      else if (peer !== 'silent') socket.open(peer);
    });
    return socket;
  }

  listen(): void {
    throw new Error('a client does not listen');
  }
}
