import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Listener, Socket, SocketHandler, SocketPath } from '@flotilla/ports';
import { type ServerOptions, WebSocketServer } from 'ws';
import { formatAddress, parseAddress } from './address.ts';
import { listenError } from './listen-error.ts';
import { WsSocket } from './ws-socket.ts';
import { payloadBytesMax, SUBPROTOCOL, type WsTuning } from './ws-tuning.ts';

export interface ListenRequest {
  readonly address: string;
  readonly tuning: WsTuning;
  readonly onHttpRequest: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  readonly accept: (socket: Socket, path: SocketPath) => SocketHandler | undefined;
  readonly done: (result: { readonly listener: Listener } | { readonly failure: Error }) => void;
}

/** One port for sockets and HTTP. Calls `done` once: with the listener, or with why there is none. */
export function listenWs(request: ListenRequest): void {
  let host: string;
  let port: number;
  try {
    ({ host, port } = parseAddress(request.address));
  } catch (failure) {
    setImmediate(() => request.done({ failure: failure as Error }));
    return;
  }
  const listener = new WsListener(request);
  const { server } = listener;
  const failed = (cause: NodeJS.ErrnoException): void => {
    request.done({ failure: listenError(request.address, cause) });
  };
  server.once('error', failed);
  server.listen({ host, port }, () => {
    server.removeListener('error', failed);
    // Errors from here on concern one connection that could not be accepted, for example for want of file
    // descriptors; the port stays open and the others go on.
    server.on('error', () => {});
    listener.address = formatAddress(host, (server.address() as AddressInfo).port);
    request.done({ listener });
  });
}

interface MoreServerOptions extends ServerOptions {
  readonly closeTimeout: number;
}

class WsListener implements Listener {
  address = '';
  readonly server: Server;
  readonly #request: ListenRequest;
  readonly #upgraders: Readonly<Record<SocketPath, WebSocketServer>>;
  readonly #streams = new Set<NetSocket>();
  readonly #strangers = new Set<NetSocket>();
  readonly #byRemote = new Map<string, number>();
  readonly #sockets = new Set<WsSocket>();
  #closed = false;

  constructor(request: ListenRequest) {
    this.#request = request;
    const { tuning } = request;
    this.#upgraders = { '/peer': makeUpgrader('/peer', tuning), '/client': makeUpgrader('/client', tuning) };
    this.server = createServer(
      {
        headersTimeout: tuning.headersTimeoutMs,
        requestTimeout: tuning.requestTimeoutMs,
        connectionsCheckingInterval: tuning.checkIntervalMs,
        maxHeaderSize: tuning.headerBytesMax,
        noDelay: true,
      },
      (incoming, response) => this.#serve(incoming, response),
    );
    this.server.maxConnections = tuning.connectionsMax;
    this.server.on('connection', (stream: NetSocket) => this.#connected(stream));
    this.server.on('upgrade', (incoming, stream, head) => this.#upgrade(incoming, stream, head));
  }

  close(done: () => void): void {
    if (this.#closed) {
      setImmediate(done);
      return;
    }
    this.#closed = true;
    // Those that do not answer the close in time are destroyed by ws; plain HTTP is not waited for.
    this.server.close(() => done());
    for (const socket of this.#sockets) socket.closeGoingAway('the store is stopping');
    for (const stream of this.#strangers) stream.destroy();
    this.server.closeAllConnections();
  }

  #serve(incoming: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(incoming);
    if (path in this.#upgraders) {
      response.writeHead(426, { connection: 'close', 'content-type': 'text/plain' });
      response.end(`${path} speaks WebSocket only\n`);
    } else if (this.#request.onHttpRequest !== undefined) {
      this.#request.onHttpRequest(incoming, response);
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' });
      response.end('nothing here\n');
    }
  }

  /** Counts connections before a byte is read: whoever opens too many costs an accept and a close. */
  #connected(stream: NetSocket): void {
    const { tuning } = this.#request;
    const remote = stream.remoteAddress ?? '';
    const open = (this.#byRemote.get(remote) ?? 0) + 1;
    if (open > tuning.connectionsPerAddressMax || this.#strangers.size >= tuning.strangersMax) {
      stream.destroy();
      return;
    }
    this.#byRemote.set(remote, open);
    this.#streams.add(stream);
    this.#strangers.add(stream);
    stream.once('close', () => {
      this.#streams.delete(stream);
      this.#strangers.delete(stream);
      const left = (this.#byRemote.get(remote) ?? 1) - 1;
      if (left === 0) this.#byRemote.delete(remote);
      else this.#byRemote.set(remote, left);
    });
  }

  #refusal(incoming: IncomingMessage, path: string): readonly [status: number, text: string] | undefined {
    const { headers } = incoming;
    if (!(path in this.#upgraders)) return [404, 'use /peer or /client'];
    if (this.#closed) return [503, 'the store is stopping'];
    if (headers.origin !== undefined || headers['sec-websocket-origin'] !== undefined) {
      return [403, 'no browsers here'];
    }
    return offersSubprotocol(incoming) ? undefined : [400, `the subprotocol must be ${SUBPROTOCOL}`];
  }

  #upgrade(incoming: IncomingMessage, duplex: Duplex, head: Buffer): void {
    const stream = duplex as NetSocket;
    stream.on('error', () => {}); // Reported by its close.
    const path = pathOf(incoming);
    const refusal = this.#refusal(incoming, path);
    if (refusal !== undefined) {
      refuse(stream, ...refusal);
      return;
    }
    const upgrader = this.#upgraders[path as SocketPath];
    upgrader.handleUpgrade(incoming, stream, head, (ws) => {
      this.#strangers.delete(stream);
      const remote = formatAddress(stream.remoteAddress ?? '?', stream.remotePort ?? 0);
      const socket = new WsSocket(ws, remote, this.#request.tuning.bufferedBytesMax);
      this.#sockets.add(socket);
      ws.once('close', () => this.#sockets.delete(socket));
      socket.opened(stream);
      const handler = this.#request.accept(socket, path as SocketPath);
      if (handler === undefined) {
        socket.close('refused');
        return;
      }
      socket.attach(handler);
      socket.tellOpen();
    });
  }
}

function makeUpgrader(path: SocketPath, tuning: WsTuning): WebSocketServer {
  const options: MoreServerOptions = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: payloadBytesMax[path],
    maxFragments: tuning.fragmentsMax,
    maxBufferedChunks: tuning.bufferedChunksMax,
    closeTimeout: tuning.closeTimeoutMs,
    skipUTF8Validation: true,
    handleProtocols: () => SUBPROTOCOL,
  };
  return new WebSocketServer(options);
}

function pathOf(incoming: IncomingMessage): string {
  const url = incoming.url ?? '';
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

function offersSubprotocol(incoming: IncomingMessage): boolean {
  const offered = incoming.headers['sec-websocket-protocol'];
  return offered?.split(',').some((name) => name.trim() === SUBPROTOCOL) === true;
}

function refuse(stream: NetSocket, status: number, text: string): void {
  const body = `${text}\n`;
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    // A stranger that does not read its refusal must not keep the connection.
    () => stream.destroy(),
  );
}
