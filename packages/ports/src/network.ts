/**
 * Message-oriented sockets: whole messages of bytes, in order, or a close. Everything above (frames,
 * handshake, address book, queues) is pure code over this port and runs the same in the simulator.
 */

export type SocketPath = '/peer' | '/client';

export interface SocketHandler {
  /** The socket can send now. Called once, for an accepted socket right after `accept` has returned. */
  onOpen(): void;
  /**
   * One message; the bytes belong to the receiver and are not reused by the network. None comes after this
   * end has called `close` or `terminate`.
   */
  onMessage(bytes: Uint8Array): void;
  /**
   * Called once, also when the socket never opened or this end closed it; nothing follows. Never called from
   * inside `dial`, `send`, `close` or `terminate`.
   */
  onClose(reason: string): void;
}

export interface Socket {
  /**
   * Hands one message to the network. The bytes must not change afterwards. Only after `onOpen` (whoever
   * accepts may send inside `accept`); ignored after a close.
   */
  send(bytes: Uint8Array): void;
  /** Closes in order; what was sent before may still arrive. */
  close(reason: string): void;
  /** Closes at once and drops what was not sent. */
  terminate(): void;
  /** Bytes handed over and not yet taken by the operating system. */
  readonly bufferedBytes: number;
  /** `host:port` of the other end, for messages to people. */
  readonly remoteAddress: string;
}

export interface Listener {
  /** The address that others can dial, with the port that was really bound. */
  readonly address: string;
  /** Stops accepting and closes every accepted socket; then calls back. */
  close(done: () => void): void;
}

export interface Network {
  /** Dials `host:port`; names are resolved at each call. The handler hears of success and of failure. */
  dial(address: string, path: SocketPath, handler: SocketHandler): Socket;
  /**
   * Accepts sockets at `address`. `accept` returns the handler of a new socket, which is open at once, or
   * undefined to refuse it.
   */
  listen(
    address: string,
    accept: (socket: Socket, path: SocketPath) => SocketHandler | undefined,
    done: (result: { readonly listener: Listener } | { readonly failure: Error }) => void,
  ): void;
}
