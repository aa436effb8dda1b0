import type { Listener, Network, Socket, SocketHandler, SocketPath, Timers } from '@flotilla/ports';
import { Connection } from './memory-connection.ts';

/**
 * A network inside one process, for tests and the simulator. It behaves like TCP: a connection delivers in
 * order, exactly once, or breaks; faults are delays, stalls, breaks of one or both ends, and machines that
 * vanish without a word. All delays come from one policy and all waiting goes through the injected timers,
 * so that the same policy and timers give the same run.
 */

export interface LinkPolicy {
  /**
   * Milliseconds that these bytes need between two nodes. `Infinity` holds them, and everything behind them
   * in that direction, until {@link MemoryNetworkHub.release}; undefined breaks the connection. Asked once
   * for each message, with 0 bytes for the steps of connecting and closing.
   */
  route(from: string, to: string, bytes: number): number | undefined;
  /** May damage the receiver's copy of a message, as a bad cable does. */
  damage?(from: string, to: string, copy: Uint8Array): void;
}

export interface MemoryNetworkOptions {
  readonly timers: Timers;
  readonly policy?: LinkPolicy;
  /** Undelivered bytes of one direction that count as taken by the operating system. */
  readonly systemBufferBytes?: number;
  /** A dial that got no answer by then has failed. */
  readonly dialTimeoutMs?: number;
}

const instantly: LinkPolicy = { route: () => 0 };

export class MemoryNetworkHub {
  policy: LinkPolicy;
  readonly timers: Timers;
  readonly systemBufferBytes: number;
  readonly dialTimeoutMs: number;
  readonly #connections = new Set<Connection>();
  readonly #listeners = new Map<string, MemoryListener>();
  readonly #networks = new Map<string, MemoryNetwork>();
  #nextPort = 20_000;

  constructor(options: MemoryNetworkOptions) {
    this.timers = options.timers;
    this.policy = options.policy ?? instantly;
    this.systemBufferBytes = options.systemBufferBytes ?? 256 * 1024;
    this.dialTimeoutMs = options.dialTimeoutMs ?? 5000;
  }

  /** The network as one process sees it. A node that starts again takes a new one. */
  network(node: string): MemoryNetwork {
    const network = new MemoryNetwork(this, node);
    this.#networks.get(node)?.stop();
    this.#networks.set(node, network);
    return network;
  }

  /** Asks the policy again about everything that it holds: call it after making the policy kinder. */
  release(): void {
    for (const connection of [...this.#connections]) connection.release();
  }

  /**
   * Breaks every connection between two nodes and returns how many there were. Only the nodes in `told` hear
   * of it; an end that does not stays half-open until it sends something.
   */
  breakLinks(left: string, right: string, told: readonly string[] = [left, right]): number {
    let broken = 0;
    for (const connection of [...this.#connections]) {
      if (!connection.joins(left, right)) continue;
      broken++;
      connection.cut((end) => told.includes(end.node));
    }
    return broken;
  }

  /** Connections that at least one end believes in. */
  get connections(): number {
    return this.#connections.size;
  }

  /** @internal */
  isRunning(network: MemoryNetwork): boolean {
    return this.#networks.get(network.node) === network && !network.stopped;
  }

  /** @internal True while a process runs on that node, so that its machine answers strangers with a reset. */
  answers(node: string): boolean {
    return this.#networks.get(node)?.stopped === false;
  }

  /** @internal */
  connect(from: MemoryNetwork, address: string, path: SocketPath, handler: SocketHandler): Socket {
    const listener = this.#listeners.get(address);
    const connection = new Connection(this, from, address, listener?.owner.node ?? address, handler);
    this.#connections.add(connection);
    connection.dial(() => this.#listeners.get(address), path);
    return connection.dialler;
  }

  /** @internal */
  bindAddress(
    owner: MemoryNetwork,
    address: string,
    accept: MemoryListener['accept'],
  ): MemoryListener | undefined {
    const bound = address.endsWith(':0') ? `${address.slice(0, -1)}${this.#nextPort++}` : address;
    if (this.#listeners.has(bound)) return undefined;
    const listener = new MemoryListener(this, owner, bound, accept);
    this.#listeners.set(bound, listener);
    return listener;
  }

  /** @internal */
  unbind(listener: MemoryListener): void {
    if (this.#listeners.get(listener.address) === listener) this.#listeners.delete(listener.address);
    for (const connection of [...this.#connections]) {
      if (connection.listener === listener) connection.acceptor.close('the listener was closed');
    }
  }

  /** @internal */
  stopNetwork(network: MemoryNetwork, silently: boolean): void {
    for (const listener of [...this.#listeners.values()]) {
      if (listener.owner === network) this.#listeners.delete(listener.address);
    }
    for (const connection of [...this.#connections]) connection.stopEnds(network, silently);
  }

  /** @internal */
  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }
}

export class MemoryNetwork implements Network {
  readonly node: string;
  readonly #hub: MemoryNetworkHub;
  #stopped = false;

  /** Made by {@link MemoryNetworkHub.network}. */
  constructor(hub: MemoryNetworkHub, node: string) {
    this.#hub = hub;
    this.node = node;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  dial(address: string, path: SocketPath, handler: SocketHandler): Socket {
    return this.#hub.connect(this, address, path, handler);
  }

  listen(
    address: string,
    accept: (socket: Socket, path: SocketPath) => SocketHandler | undefined,
    done: (result: { readonly listener: Listener } | { readonly failure: Error }) => void,
  ): void {
    const listener = this.#hub.bindAddress(this, address, accept);
    this.#hub.timers.soon(() => {
      if (this.#stopped) return;
      if (listener !== undefined) done({ listener });
      else done({ failure: new Error(`cannot listen on ${address}: the address is in use in this hub`) });
    });
  }

  /**
   * Ends the process of this node: none of its handlers is called again. What it had sent still arrives and
   * the other ends see a close; `silently`, as when a machine loses power, they see nothing at all.
   */
  stop(how: { readonly silently?: boolean } = {}): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#hub.stopNetwork(this, how.silently === true);
  }
}

export class MemoryListener implements Listener {
  readonly address: string;
  readonly owner: MemoryNetwork;
  readonly accept: (socket: Socket, path: SocketPath) => SocketHandler | undefined;
  readonly #hub: MemoryNetworkHub;

  constructor(
    hub: MemoryNetworkHub,
    owner: MemoryNetwork,
    address: string,
    accept: MemoryListener['accept'],
  ) {
    this.#hub = hub;
    this.owner = owner;
    this.address = address;
    this.accept = accept;
  }

  close(done: () => void): void {
    this.#hub.unbind(this);
    this.#hub.timers.soon(() => {
      if (!this.owner.stopped) done();
    });
  }
}
