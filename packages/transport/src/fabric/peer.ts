import type { StoreId } from '@flotilla/base';
import { Lane, type TimerId } from '@flotilla/ports';
import type { Backoff } from './backoff.ts';
import type { Link } from './link.ts';
import type { PeerStatus } from './options.ts';
import { ClockEstimate } from './ping.ts';

/** One lane to one store: at most one working link and one of our own dials. */
export interface Slot {
  readonly peer: Peer;
  readonly lane: Lane;
  readonly backoff: Backoff;
  link: Link | undefined;
  dial: Link | undefined;
  timer: TimerId | undefined;
}

export class Peer {
  readonly storeId: StoreId;
  readonly slots: readonly [Slot, Slot];
  clock: ClockEstimate = new ClockEstimate();
  /** Incarnation whose clock and links these are. */
  incarnation: string | undefined;
  /** The host was told that this peer is up. */
  announced = false;

  constructor(storeId: StoreId, makeBackoff: () => Backoff) {
    this.storeId = storeId;
    const slot = (lane: Lane): Slot => ({
      peer: this,
      lane,
      backoff: makeBackoff(),
      link: undefined,
      dial: undefined,
      timer: undefined,
    });
    this.slots = [slot(Lane.consensus), slot(Lane.bulk)];
  }

  get links(): readonly Link[] {
    return this.slots.flatMap((slot) => (slot.link === undefined ? [] : [slot.link]));
  }
}

/** Every store that was wanted or connected since the start. */
export class PeerMap {
  readonly #peers = new Map<StoreId, Peer>();
  readonly #makeBackoff: () => Backoff;

  constructor(makeBackoff: () => Backoff) {
    this.#makeBackoff = makeBackoff;
  }

  get(storeId: StoreId): Peer | undefined {
    return this.#peers.get(storeId);
  }

  make(storeId: StoreId): Peer {
    let peer = this.#peers.get(storeId);
    if (peer === undefined) {
      peer = new Peer(storeId, this.#makeBackoff);
      this.#peers.set(storeId, peer);
    }
    return peer;
  }

  ids(): Iterable<StoreId> {
    return this.#peers.keys();
  }

  slots(): readonly Slot[] {
    return [...this.#peers.values()].flatMap((peer) => peer.slots);
  }

  /** Those that are up, as of now: closing some of them does not disturb a loop over them. */
  links(): readonly Link[] {
    return [...this.#peers.values()].flatMap((peer) => peer.links);
  }

  /** How many peers the host holds to be up. */
  get announced(): number {
    let count = 0;
    for (const peer of this.#peers.values()) if (peer.announced) count++;
    return count;
  }
}

/** The part of a status line that the links know. */
export function laneStatus(
  peer: Peer | undefined,
): Pick<PeerStatus, 'consensusUp' | 'bulkUp' | 'rttMs' | 'queuedBytes'> {
  const links = peer?.links ?? [];
  return {
    consensusUp: peer?.slots[Lane.consensus].link !== undefined,
    bulkUp: peer?.slots[Lane.bulk].link !== undefined,
    rttMs: peer?.clock.rttMs,
    queuedBytes: links.reduce((sum, link) => sum + link.queuedBytes, 0),
  };
}
