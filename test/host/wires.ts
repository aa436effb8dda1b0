import { assert, type StoreId, type VirtualTime } from '@flotilla/base';
import type { Lane, PeerHandler, PeerIdentity, PeerLinks, Timers, Urgency } from '@flotilla/ports';

/** A frame as it leaves a store. */
export interface Sent {
  readonly from: StoreId;
  readonly to: StoreId;
  readonly lane: Lane;
  readonly kind: number;
  readonly body: Uint8Array;
}

const RECONNECT_MS = 20;

/**
 * Links between hosts under test, without the fabric: whole frames, in order, after a fixed delay. A link can
 * be broken (both ends hear of it) or silenced in one direction (nobody does).
 */
export class Wires {
  readonly #time: VirtualTime;
  readonly #ends = new Map<StoreId, WireEnd>();
  readonly #cut = new Set<string>();
  readonly #silent = new Set<string>();
  readonly #held = new Map<string, Sent[]>();
  /** Sees every frame as it leaves; false loses it. */
  tap: (frame: Sent) => boolean = () => true;
  frames = 0;
  /** How long a frame takes. */
  delayMs = 0.5;
  #refuse: { readonly which: (frame: Sent) => boolean; left: number; count: number } | undefined;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** The links of one life of a store's process. */
  attach(storeId: StoreId, incarnation: string, timers: Timers): PeerLinks {
    const end = new WireEnd(this, { storeId, incarnation, address: `${storeId}:1`, formats: [1, 1] }, timers);
    this.#ends.set(storeId, end);
    return end;
  }

  detach(storeId: StoreId): void {
    this.#ends.delete(storeId);
    for (const other of this.#ends.values()) other.lose(storeId);
  }

  /** Both ends lose the connection now, and stay apart until {@link heal}. */
  cut(left: StoreId, right: StoreId): void {
    this.#cut.add(pair(left, right));
    this.#ends.get(left)?.lose(right);
    this.#ends.get(right)?.lose(left);
  }

  /** Both ends lose the bulk lane between them, and have a new one at once. */
  breakBulk(left: StoreId, right: StoreId): void {
    this.#ends.get(left)?.loseBulk(right);
    this.#ends.get(right)?.loseBulk(left);
  }

  /** Frames in this direction are lost without a word. */
  silence(from: StoreId, to: StoreId): void {
    this.#silent.add(`${from}>${to}`);
  }

  /** Frames in this direction wait until {@link release}. */
  hold(from: StoreId, to: StoreId): void {
    this.#held.set(`${from}>${to}`, []);
  }

  /** The frame comes again, over the connection of now. */
  replay(frame: Sent): void {
    this.#deliver(frame);
  }

  release(from: StoreId, to: StoreId): void {
    const frames = this.#held.get(`${from}>${to}`) ?? [];
    this.#held.delete(`${from}>${to}`);
    for (const frame of frames) this.#deliver(frame);
  }

  isolate(storeId: StoreId): void {
    for (const other of this.#ends.keys()) if (other !== storeId) this.cut(storeId, other);
  }

  heal(): void {
    this.#cut.clear();
    this.#silent.clear();
    for (const end of this.#ends.values()) this.#connectLater(end);
  }

  isUp(from: StoreId, to: StoreId): boolean {
    return this.#ends.get(from)?.isUp(to) === true;
  }

  began(end: WireEnd): void {
    this.#connectLater(end);
  }

  /** The next so many of these frames find the queue of their lane full. */
  refuse(which: (frame: Sent) => boolean, left: number): { readonly count: number } {
    this.#refuse = { which, left, count: 0 };
    return this.#refuse;
  }

  send(end: WireEnd, frame: Sent): boolean {
    const refuse = this.#refuse;
    if (refuse !== undefined && refuse.left > 0 && refuse.which(frame)) {
      refuse.left--;
      refuse.count++;
      return false;
    }
    this.frames++;
    if (!this.tap(frame)) return true;
    const direction = `${frame.from}>${frame.to}`;
    if (this.#silent.has(direction)) return true;
    const held = this.#held.get(direction);
    if (held !== undefined) {
      held.push(frame);
      return true;
    }
    if (this.#ends.get(frame.from) !== end) return false;
    this.#deliver(frame);
    return true;
  }

  #deliver(frame: Sent): void {
    const target = this.#ends.get(frame.to);
    const epoch = target?.epochOf(frame.from);
    this.#time.set(this.delayMs, () => {
      // What was on a connection that broke meanwhile is gone with it.
      if (
        target !== undefined &&
        this.#ends.get(frame.to) === target &&
        target.epochOf(frame.from) === epoch
      ) {
        target.receive(frame);
      }
    });
  }

  #connectLater(end: WireEnd): void {
    this.#time.set(RECONNECT_MS, () => {
      const { storeId } = end.self;
      if (this.#ends.get(storeId) !== end) return;
      for (const [id, other] of this.#ends) {
        if (id === storeId || this.#cut.has(pair(id, storeId)) || end.isUp(id)) continue;
        end.meet(other.self);
        other.meet(end.self);
      }
    });
  }
}

class WireEnd implements PeerLinks {
  readonly self: PeerIdentity;
  readonly #wires: Wires;
  readonly #timers: Timers;
  readonly #up = new Map<StoreId, number>();
  #epoch = 0;
  #handler: PeerHandler | undefined;

  constructor(wires: Wires, self: PeerIdentity, timers: Timers) {
    this.#wires = wires;
    this.self = self;
    this.#timers = timers;
  }

  bind(handler: PeerHandler): void {
    assert(this.#handler === undefined, 'bound once');
    this.#handler = handler;
    this.#wires.began(this);
  }

  meet(peer: PeerIdentity): void {
    if (this.#up.has(peer.storeId)) return;
    this.#up.set(peer.storeId, ++this.#epoch);
    this.#handler?.onUp(peer);
  }

  lose(storeId: StoreId): void {
    if (this.#up.delete(storeId)) this.#timers.set(0, () => this.#handler?.onDown(storeId));
  }

  loseBulk(storeId: StoreId): void {
    this.#timers.set(0, () => this.#handler?.onBulkDown(storeId));
  }

  epochOf(storeId: StoreId): number | undefined {
    return this.#up.get(storeId);
  }

  receive({ from, lane, kind, body }: Sent): void {
    this.#timers.set(0, () => this.#handler?.onFrame(from, lane, kind, body));
  }

  send(to: StoreId, lane: Lane, kind: number, body: Uint8Array, _urgency: Urgency): boolean {
    if (!this.#up.has(to)) return false;
    return this.#wires.send(this, { from: this.self.storeId, to, lane, kind, body: body.slice() });
  }

  isUp(storeId: StoreId): boolean {
    return this.#up.has(storeId);
  }

  clusterOf(): string | undefined {
    return undefined;
  }

  queuedBytes(): number {
    return 0;
  }

  want(): void {}

  learn(): void {}

  addressOf(storeId: StoreId): string {
    return `${storeId}:1`;
  }

  knownStores(): readonly StoreId[] {
    return [];
  }

  clockOffsetMs(): number | undefined {
    return undefined;
  }
}

function pair(left: StoreId, right: StoreId): string {
  return left < right ? `${left}~${right}` : `${right}~${left}`;
}
