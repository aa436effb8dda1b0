import type { Listener, Network, Socket, SocketHandler, SocketPath } from '@flotilla/ports';
import type { ProcessGate } from './process-gate.ts';

/** The network as one process sees it: a stopped process takes nothing from its sockets until it goes on. */
export class GatedNetwork implements Network {
  readonly #network: Network;
  readonly #gate: ProcessGate;
  readonly #delivered: (bytes: Uint8Array) => void;

  constructor(network: Network, gate: ProcessGate, delivered: (bytes: Uint8Array) => void) {
    this.#network = network;
    this.#gate = gate;
    this.#delivered = delivered;
  }

  dial(address: string, path: SocketPath, handler: SocketHandler): Socket {
    return this.#network.dial(
      address,
      path,
      this.#gated(() => handler),
    );
  }

  listen(
    address: string,
    accept: (socket: Socket, path: SocketPath) => SocketHandler | undefined,
    done: (result: { readonly listener: Listener } | { readonly failure: Error }) => void,
  ): void {
    const onAccept = (socket: Socket, path: SocketPath): SocketHandler | undefined => {
      if (!this.#gate.isPaused) {
        const handler = accept(socket, path);
        return handler === undefined ? undefined : this.#gated(() => handler);
      }
      // The machine takes the connection; the process sees it once it goes on.
      let handler: SocketHandler | undefined;
      this.#gate.enter(() => {
        handler = accept(socket, path);
        if (handler === undefined) socket.close('refused');
      });
      return this.#gated(() => handler);
    };
    this.#network.listen(address, onAccept, (result) => this.#gate.enter(() => done(result)));
  }

  #gated(handler: () => SocketHandler | undefined): SocketHandler {
    return {
      onOpen: () => this.#gate.enter(() => handler()?.onOpen()),
      onMessage: (bytes) =>
        this.#gate.enter(() => {
          this.#delivered(bytes);
          handler()?.onMessage(bytes);
        }),
      onClose: (reason) => this.#gate.enter(() => handler()?.onClose(reason)),
    };
  }
}
