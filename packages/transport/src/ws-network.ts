import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket as NetSocket } from 'node:net';
import type { Listener, Network, Socket, SocketHandler, SocketPath } from '@flotilla/ports';
import { type ClientOptions, WebSocket } from 'ws';
import { parseAddress } from './address.ts';
import { listenWs } from './ws-server.ts';
import { WsSocket } from './ws-socket.ts';
import { payloadBytesMax, SUBPROTOCOL, type WsTuning, wsTuning } from './ws-tuning.ts';

export interface WsNetworkOptions {
  /** Answers plain HTTP requests on the same port; without it they get 404. */
  readonly onHttpRequest?: (request: IncomingMessage, response: ServerResponse) => void;
  readonly tuning?: Partial<WsTuning>;
}

/** What the types of ws do not list yet, though ws 8.23.0 documents and reads it. */
interface MoreClientOptions extends ClientOptions {
  readonly closeTimeout: number;
}

/**
 * The network of real processes: binary WebSocket messages under one subprotocol, without compression, on
 * ports that also serve HTTP.
 */
export class WsNetwork implements Network {
  readonly #options: WsNetworkOptions;
  readonly #tuning: WsTuning;

  constructor(options: WsNetworkOptions = {}) {
    this.#options = options;
    this.#tuning = wsTuning(options.tuning);
  }

  dial(address: string, path: SocketPath, handler: SocketHandler): Socket {
    const tuning = this.#tuning;
    let stream: NetSocket | undefined;
    const options: MoreClientOptions = {
      perMessageDeflate: false,
      maxPayload: payloadBytesMax[path],
      maxFragments: tuning.fragmentsMax,
      maxBufferedChunks: tuning.bufferedChunksMax,
      handshakeTimeout: tuning.handshakeTimeoutMs,
      closeTimeout: tuning.closeTimeoutMs,
      skipUTF8Validation: true,
      // Masks keep scripts in browsers from forging traffic for careless proxies. No browser is here, and a
      // mask of zeros saves a copy of every message on this side and a pass over it on the other.
      generateMask: (mask) => mask.fill(0),
      createConnection: ((target: { readonly host: string; readonly port: number }) => {
        stream = connect({ host: target.host, port: target.port, noDelay: true });
        return stream;
      }) as typeof connect,
    };
    let url = 'ws://invalid.invalid:1/';
    let unusable: Error | undefined;
    try {
      parseAddress(address);
      url = `ws://${address}${path}`;
    } catch (error) {
      unusable = error as Error;
    }
    if (unusable !== undefined) return failLater(address, unusable.message, handler);
    const ws = new WebSocket(url, SUBPROTOCOL, options);
    const socket = new WsSocket(ws, address, tuning.bufferedBytesMax);
    socket.attach(handler);
    // The timeout of ws starts anew with every byte that arrives; this one does not.
    const timeout = setTimeout(() => socket.terminate(), tuning.handshakeTimeoutMs);
    ws.once('close', () => clearTimeout(timeout));
    ws.once('open', () => {
      clearTimeout(timeout);
      socket.opened(stream);
      socket.tellOpen();
    });
    return socket;
  }

  listen(
    address: string,
    accept: (socket: Socket, path: SocketPath) => SocketHandler | undefined,
    done: (result: { readonly listener: Listener } | { readonly failure: Error }) => void,
  ): void {
    listenWs({ address, accept, done, tuning: this.#tuning, onHttpRequest: this.#options.onHttpRequest });
  }
}

/** A socket that never was: an address that cannot be dialled fails like one that does not answer. */
function failLater(remoteAddress: string, reason: string, handler: SocketHandler): Socket {
  let told = false;
  const tell = (text: string): void => {
    if (told) return;
    told = true;
    setImmediate(() => handler.onClose(text));
  };
  tell(reason);
  return { remoteAddress, bufferedBytes: 0, send: () => {}, close: tell, terminate: () => {} };
}
