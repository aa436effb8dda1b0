import { DecodeError, Reader, type Writer } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';

/**
 * A frame is one message on a socket: checksum u64, magic u16, version u8, kind u8, body length u32, body.
 * The checksum covers everything after itself. A frame that does not fit closes its socket, nothing else.
 */

export const FRAME_HEADER_BYTES = 16;
const MAGIC = 0xf107;
const FRAME_VERSION = 1;

export const FrameKind = {
  hello: 1,
  welcome: 2,
  refusal: 3,
  ping: 4,
  pong: 5,
  /** Between stores: another frame's kind and its compressed body. */
  packed: 6,
  /** Between stores, consensus lane. */
  raft: 16,
  beat: 17,
  beatAck: 18,
  voteRefusal: 19,
  founding: 20,
  configAsk: 21,
  config: 22,
  adminForward: 23,
  adminForwardReply: 24,
  /** The sender is about to stop: no leadership is for it while this connection lasts. Without a body. */
  draining: 25,
  /** Also to clients. Fits exactly one config; who holds another asks for the whole. */
  configDelta: 26,
  moveStep: 27,
  moveStepReply: 28,
  /** Between stores, bulk lane. */
  snapshotOffer: 32,
  snapshotChunk: 33,
  snapshotAck: 34,
  moveAsk: 35,
  moveReply: 36,
  /** Between client and store. */
  write: 48,
  read: 49,
  reply: 50,
  admin: 51,
  adminReply: 52,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** Begins a frame in an empty writer; write the body, then call {@link sealFrame}. */
export function beginFrame(out: Writer): void {
  out.reset();
  out.reserve(FRAME_HEADER_BYTES);
}

/** Fills in the header of the frame that `out` holds and returns the frame's bytes: a copy, or the writer's own with `take`. */
export function sealFrame(out: Writer, kind: number, hasher: Hasher, take = false): Uint8Array {
  out.patchU16(8, MAGIC);
  out.patchU8(10, FRAME_VERSION);
  out.patchU8(11, kind);
  out.patchU32(12, out.length - FRAME_HEADER_BYTES);
  hasher.hash(out.bytes.subarray(8, out.length));
  out.patchU32(0, hasher.low);
  out.patchU32(4, hasher.high);
  return take ? out.take() : out.finish();
}

export interface Frame {
  readonly kind: number;
  /** A view into the message, not a copy. */
  readonly body: Uint8Array;
}

/** The frame in one socket message; throws `DecodeError` that names what does not fit. */
export function openFrame(message: Uint8Array, hasher: Hasher, bytesMax: number): Frame {
  if (message.length < FRAME_HEADER_BYTES) {
    throw new DecodeError(`a message of ${message.length} bytes is shorter than a frame header`);
  }
  if (message.length > bytesMax) {
    throw new DecodeError(`a frame of ${message.length} bytes is over the limit of ${bytesMax}`);
  }
  const header = new Reader(message, 0, FRAME_HEADER_BYTES);
  const low = header.u32();
  const high = header.u32();
  const magic = header.u16();
  const version = header.u8();
  const kind = header.u8();
  const length = header.u32();
  if (magic !== MAGIC) throw new DecodeError('these bytes are not a Flotilla frame (wrong magic)');
  if (version !== FRAME_VERSION) {
    throw new DecodeError(`frame version ${version} is not spoken here (only ${FRAME_VERSION})`, { version });
  }
  if (length !== message.length - FRAME_HEADER_BYTES) {
    throw new DecodeError(`a frame says ${length} bytes and has ${message.length - FRAME_HEADER_BYTES}`);
  }
  hasher.hash(message.subarray(8));
  if (hasher.low !== low || hasher.high !== high) {
    throw new DecodeError('the checksum of a frame does not fit its bytes', { kind });
  }
  return { kind, body: message.subarray(FRAME_HEADER_BYTES) };
}
