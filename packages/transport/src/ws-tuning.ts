import { assert } from '@flotilla/base';
import type { SocketPath } from '@flotilla/ports';
import { FRAME_HEADER_BYTES, limits } from '@flotilla/wire';

/** Both ends must name it, so that nothing else that speaks WebSocket gets past the upgrade. */
export const SUBPROTOCOL = 'flotilla.v1';

/** Largest message by path: a frame of that kind with its header. */
export const payloadBytesMax: Readonly<Record<SocketPath, number>> = {
  '/peer': limits.peerFrameBytes + FRAME_HEADER_BYTES,
  '/client': limits.clientFrameBytes + FRAME_HEADER_BYTES,
};

export interface WsTuning {
  /** From dialling to an open socket, name resolution included. */
  readonly handshakeTimeoutMs: number;
  /** How long a close may wait for the other end before the socket is destroyed. */
  readonly closeTimeoutMs: number;
  /** A reader so slow that this much waits for it is cut off (O3). */
  readonly bufferedBytesMax: number;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** Connections that have not become a socket: scrapers and browsers, and whoever opens and says nothing. */
  readonly strangersMax: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** How often the two limits above are looked at. */
  readonly checkIntervalMs: number;
  readonly headerBytesMax: number;
  /** Pieces that one message may come in, and chunks of the network that may wait for the rest of it. */
  readonly fragmentsMax: number;
  readonly bufferedChunksMax: number;
}

export const defaultWsTuning: WsTuning = {
  handshakeTimeoutMs: 5000,
  closeTimeoutMs: 5000,
  bufferedBytesMax: 16 * 1024 * 1024,
  connectionsMax: limits.connections,
  connectionsPerAddressMax: limits.connections,
  strangersMax: 256,
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  checkIntervalMs: 1000,
  headerBytesMax: 8 * 1024,
  fragmentsMax: 32,
  bufferedChunksMax: 8192,
};

export function wsTuning(changes: Partial<WsTuning> = {}): WsTuning {
  const tuning = { ...defaultWsTuning, ...changes };
  assert(
    tuning.bufferedBytesMax > payloadBytesMax['/peer'],
    'one frame must fit what a socket may hold back',
  );
  // The clearest sign that a limit was set in seconds.
  assert(
    tuning.headersTimeoutMs <= tuning.requestTimeoutMs,
    'headers cannot have more time than the request',
  );
  return tuning;
}
