import type { StoreId } from '@flotilla/base';

/**
 * What the host sees of other stores: frames to and from a store id. The fabric behind it keeps one socket
 * per pair of stores and lane, the address book, the handshake and the bounded queues.
 */

export const Lane = { consensus: 0, bulk: 1 } as const;
export type Lane = (typeof Lane)[keyof typeof Lane];

/** Who is at the other end of a connected lane, as its handshake said. */
export interface PeerIdentity {
  readonly storeId: StoreId;
  /** Made anew for every blank data directory. */
  readonly incarnation: string;
  readonly address: string;
  /** Entry formats that it can apply, lowest and highest. */
  readonly formats: readonly [number, number];
}

export interface PeerHandler {
  /** The consensus lane works in both directions. */
  onUp(peer: PeerIdentity): void;
  /** The consensus lane is gone; frames in flight may be lost. */
  onDown(storeId: StoreId): void;
  /** The bulk lane is gone, perhaps alone: streams on it have lost frames. A new one may work already. */
  onBulkDown(storeId: StoreId): void;
  onFrame(storeId: StoreId, lane: Lane, kind: number, body: Uint8Array): void;
}

/** `urgent` overtakes `normal` on the same lane while both wait; within a class order is kept. */
export type Urgency = 'urgent' | 'normal';

export interface PeerLinks {
  /** Tells who takes the frames; called once, before anything arrives. */
  bind(handler: PeerHandler): void;
  /**
   * Queues one frame. False if there is no working lane or its queue is full: the frame is dropped, as a
   * network may do, and the sender decides whether to repeat it. The body is the caller's again afterwards, to
   * be written over.
   */
  send(storeId: StoreId, lane: Lane, kind: number, body: Uint8Array, urgency: Urgency): boolean;
  isUp(storeId: StoreId): boolean;
  /** The cluster that a connected store says it belongs to: empty for a blank one; undefined if not connected. */
  clusterOf(storeId: StoreId): string | undefined;
  /** Bytes queued for that lane, in the fabric and in the socket. */
  queuedBytes(storeId: StoreId, lane: Lane): number;
  /** Keeps lanes to these stores (and answers those that dial us). */
  want(storeIds: readonly StoreId[]): void;
  /** Teaches addresses that came from a config; the newer version of an address wins. */
  learn(storeId: StoreId, address: string, version: number): void;
  /** Last known address, for hints to clients. */
  addressOf(storeId: StoreId): string | undefined;
  /** Every store in the address book but this one. */
  knownStores(): readonly StoreId[];
  /** Difference of that store's wall clock to ours in ms, as its pings say; undefined before the first. */
  clockOffsetMs(storeId: StoreId): number | undefined;
}
