import { type GroupName, type RaftId, Reader, type Writer } from '@flotilla/base';
import { limits } from './limits.ts';

/**
 * A group snapshot on the bulk lane: an offer with the Raft message that announces it, chunks of raw keys
 * (without the replica's prefix) and values in key order, and the receiver's acknowledgement of each chunk.
 */

export interface SnapshotOffer {
  readonly group: GroupName;
  readonly from: RaftId;
  readonly to: RaftId;
  /** Names the stream between these two stores. */
  readonly stream: number;
  readonly term: number;
  /** `writeSnapshotMeta` bytes. */
  readonly meta: Uint8Array;
}

export function writeSnapshotOffer(out: Writer, offer: SnapshotOffer): void {
  out.u32(offer.group.gid);
  out.u53(offer.group.incarnation);
  out.u53(offer.from);
  out.u53(offer.to);
  out.u53(offer.stream);
  out.u53(offer.term);
  out.bytes32(offer.meta);
}

export function readSnapshotOffer(body: Uint8Array): SnapshotOffer {
  const from = new Reader(body);
  return {
    group: { gid: from.u32(), incarnation: from.u53() },
    from: from.u53(),
    to: from.u53(),
    stream: from.u53(),
    term: from.u53(),
    meta: from.bytes32(limits.snapshotChunkBytes),
  };
}

export interface SnapshotChunk {
  readonly stream: number;
  /** 0, 1, 2 … */
  readonly number: number;
  readonly last: boolean;
  /** Sum mod 2^32 of the checksums of all items so far, this chunk included. */
  readonly digest: number;
  /** (key bytes16 · value bytes32)… */
  readonly items: Uint8Array;
}

export function writeSnapshotChunk(out: Writer, chunk: SnapshotChunk): void {
  out.u53(chunk.stream);
  out.u32(chunk.number);
  out.bool(chunk.last);
  out.u32(chunk.digest);
  out.bytes32(chunk.items);
}

export function readSnapshotChunk(body: Uint8Array): SnapshotChunk {
  const from = new Reader(body);
  return {
    stream: from.u53(),
    number: from.u32(),
    last: from.bool(),
    digest: from.u32(),
    items: from.bytes32(limits.peerFrameBytes),
  };
}

export const SnapshotVerdict = { next: 0, done: 1, refused: 2 } as const;
export type SnapshotVerdict = (typeof SnapshotVerdict)[keyof typeof SnapshotVerdict];

export interface SnapshotAck {
  readonly stream: number;
  readonly number: number;
  readonly verdict: SnapshotVerdict;
}

export function writeSnapshotAck(out: Writer, ack: SnapshotAck): void {
  out.u53(ack.stream);
  out.u32(ack.number);
  out.u8(ack.verdict);
}

export function readSnapshotAck(body: Uint8Array): SnapshotAck {
  const from = new Reader(body);
  return { stream: from.u53(), number: from.u32(), verdict: from.u8() as SnapshotVerdict };
}
