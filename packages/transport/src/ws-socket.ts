import type { Socket as NetSocket } from 'node:net';
import { assert } from '@flotilla/base';
import type { Socket, SocketHandler } from '@flotilla/ports';
import type { WebSocket } from 'ws';

/** Close codes of RFC 6455 that we give; ws itself gives 1002, 1007, 1008 and 1009. */
const NORMAL = 1000;
const GOING_AWAY = 1001;
const NO_TEXT = 1003;

/** A reason must fit a control frame. */
const REASON_BYTES_MAX = 123;

/** One WebSocket as the port sees it. Its handler is told of the close exactly once. */
export class WsSocket implements Socket {
  readonly remoteAddress: string;
  readonly #ws: WebSocket;
  readonly #bufferedBytesMax: number;
  #handler: SocketHandler | undefined;
  /** Known once connected; used to write a whole turn with one system call. */
  #stream: NetSocket | undefined;
  #corked = false;
  #opened = false;
  /** Our own reason, once this end wants to close. Nothing is handed up after that but the close. */
  #closing: string | undefined;
  #failure: string | undefined;

  constructor(ws: WebSocket, remoteAddress: string, bufferedBytesMax: number) {
    this.#ws = ws;
    this.remoteAddress = remoteAddress;
    this.#bufferedBytesMax = bufferedBytesMax;
    ws.on('error', (error) => {
      this.#failure ??= error.message;
    });
    ws.on('message', (data, isBinary) => this.#received(data as Buffer, isBinary));
    ws.on('close', (code, text) => this.#closed(code, text.toString()));
  }

  /** The handler of a socket that is dialling; it will hear `onOpen`. */
  attach(handler: SocketHandler): void {
    this.#handler = handler;
  }

  opened(stream: NetSocket | undefined): void {
    this.#stream = stream;
    this.#opened = true;
  }

  tellOpen(): void {
    if (this.#closing === undefined) this.#handler?.onOpen();
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  send(bytes: Uint8Array): void {
    if (this.#closing !== undefined || this.#ws.readyState > this.#ws.OPEN) return;
    assert(this.#opened, 'a socket may send only after onOpen');
    this.#cork();
    this.#ws.send(bytes);
    if (this.#ws.bufferedAmount > this.#bufferedBytesMax) {
      this.#failure = `the other end reads too slowly: more than ${this.#bufferedBytesMax} bytes wait for it`;
      this.terminate();
    }
  }

  close(reason: string): void {
    this.#close(NORMAL, reason);
  }

  closeGoingAway(reason: string): void {
    this.#close(GOING_AWAY, reason);
  }

  terminate(): void {
    this.#closing ??= this.#failure ?? 'terminated';
    this.#ws.terminate();
  }

  #close(code: number, reason: string): void {
    if (this.#closing !== undefined) return;
    this.#closing = reason;
    this.#ws.close(code, fitReason(reason));
  }

  /**
   * Everything that is sent while one callback runs leaves together: one system call for a whole turn of
   * the host instead of two for each frame.
   */
  #cork(): void {
    const stream = this.#stream;
    if (this.#corked || stream === undefined) return;
    this.#corked = true;
    stream.cork();
    process.nextTick(() => {
      this.#corked = false;
      stream.uncork();
    });
  }

  #received(data: Buffer, isBinary: boolean): void {
    if (this.#closing !== undefined) return;
    if (!isBinary) {
      this.#close(NO_TEXT, 'only binary messages are spoken here');
      return;
    }
    // A plain array: Buffer's `slice` shares memory where Uint8Array's copies, and the readers rely on a copy.
    this.#handler?.onMessage(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  #closed(code: number, text: string): void {
    const reason = this.#failure ?? this.#closing ?? (text !== '' ? text : closeText(code));
    this.#closing ??= reason;
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClose(reason);
  }
}

function closeText(code: number): string {
  if (code === 1005) return 'closed without a reason';
  return code === 1006 ? 'the connection was lost' : `closed with code ${code}`;
}

function fitReason(reason: string): Buffer {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_BYTES_MAX) return bytes;
  // Cuts at a character: the other end refuses a reason that is not UTF-8.
  let end = REASON_BYTES_MAX;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
