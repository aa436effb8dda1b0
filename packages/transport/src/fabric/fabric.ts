import { assert, type StoreId } from '@flotilla/base';
import {
  type Clock,
  Lane,
  neverRare,
  type PeerHandler,
  type PeerIdentity,
  type PeerLinks,
  type Socket,
  type SocketHandler,
  type Timers,
  type Urgency,
} from '@flotilla/ports';
import { type AddressEntry, FrameKind, type Hello, protocol, readHello } from '@flotilla/wire';
import { AddressBook } from './address-book.ts';
import { Backoff } from './backoff.ts';
import { BookNotice } from './book-notice.ts';
import { Discovery } from './discovery.ts';
import { Greeter } from './greeter.ts';
import { DISCOVERY, judge, laneName, type Self, type Verdict } from './greeting.ts';
import { Link, type LinkOwner } from './link.ts';
import type { FabricOptions, PeerStatus } from './options.ts';
import { laneStatus, PeerMap, type Slot } from './peer.ts';
import { ClockEstimate, readPing, readPong, writePong } from './ping.ts';
import { Pulse } from './pulse.ts';
import { QuietLog } from './quiet-log.ts';
import { judgeStore, type Ruling, ruleOnDuplicate, ruleOnIncarnation } from './rules.ts';
import { Traffic, TrafficMeter } from './traffic.ts';
import { type FabricTuning, fabricTuning } from './tuning.ts';

/**
 * All sockets of one store to other stores. Synchronous and without any knowledge of the machine, so that
 * the simulator runs this very code.
 *
 * One working link for each store and lane. Both stores may dial. Who dials says hello; who is dialled
 * answers welcome, and from there the link is up on its side. Two rules keep the ends agreed:
 *
 * 1. While the own hello is under way, the store with the lower id refuses the other's hello as a duplicate,
 *    and the one with the higher id drops its own dial and accepts. Either way the lower one's dial stays.
 * 2. A store says hello only for a lane that it has no link for. So a hello for a lane that seems to be up,
 *    unless rule 1 explains it, means that the other end is gone, and the new link takes its place at once,
 *    instead of after the 15 s that silence would need. A different incarnation gets in only once the old one
 *    fails to answer a ping.
 */
export class Fabric implements PeerLinks {
  /** Totals since the start, for status pages and tests. */
  readonly traffic: Traffic = new Traffic();
  readonly #options: FabricOptions;
  readonly #tuning: FabricTuning;
  readonly #timers: Timers;
  readonly #clock: Clock;
  readonly #owner: LinkOwner;
  readonly #storeId: StoreId;
  readonly #log: QuietLog;
  readonly #meter: TrafficMeter | undefined;
  readonly #book: AddressBook;
  readonly #notice: BookNotice;
  readonly #discovery: Discovery;
  readonly #greeter: Greeter;
  readonly #pulse: Pulse;
  readonly #peers: PeerMap;
  /** Accepted, no hello yet. */
  readonly #strangers = new Set<Link>();
  readonly #slotOf = new Map<Link, Slot>();
  #wanted: ReadonlySet<StoreId> = new Set();
  #clusterId: string;
  #handler: PeerHandler | undefined;
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(options: FabricOptions) {
    this.#options = options;
    this.#storeId = options.identity.storeId;
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#tuning = fabricTuning(options.tuning);
    this.#owner = {
      clock: options.clock,
      timers: options.timers,
      hasher: options.hasher,
      compressor: options.compressor,
      tuning: this.#tuning,
      traffic: this.traffic,
      rare: options.rare ?? neverRare,
      opened: (link) => this.#opened(link),
      received: (link, kind, body) => this.#received(link, kind, body),
      closed: (link, reason) => this.#closed(link, reason),
    };
    this.#log = new QuietLog(options.log, options.clock);
    this.#meter = options.meter === undefined ? undefined : new TrafficMeter(this.traffic, options.meter);
    this.#clusterId = options.clusterId;
    this.#book = new AddressBook(options.identity, options.address, options.addressBook ?? []);
    this.#notice = new BookNotice(this.#book, options.timers, options.onAddressBook);
    this.#greeter = new Greeter(() => this.#self(), this.#book, this.#log, this.traffic);
    const { backoffMinMs, backoffMaxMs } = this.#tuning;
    const makeBackoff = (): Backoff => new Backoff(backoffMinMs, backoffMaxMs, options.random);
    this.#peers = new PeerMap(makeBackoff);
    this.#pulse = new Pulse({ ...this.#owner, book: this.#book, clusterId: () => this.#clusterId });
    this.#discovery = new Discovery({
      seeds: options.seeds ?? [],
      timers: options.timers,
      makeBackoff,
      isNeeded: () => this.#needsDiscovery(),
      dial: (address) => this.#dialSeed(address),
    });
  }

  // Life

  bind(handler: PeerHandler): void {
    assert(this.#handler === undefined, 'the fabric was bound twice');
    this.#handler = handler;
  }

  /** Begins to dial and to accept. */
  start(): void {
    assert(this.#state === 'new', 'the fabric was started twice');
    assert(this.#handler !== undefined, 'bind the fabric before it is started');
    assert(
      this.#book.own.address !== '',
      'a fabric needs an address that others can dial before it is started',
    );
    this.#state = 'running';
    this.#notice.changed();
    this.#pulse.start(
      () => this.#peers.links(),
      () => this.#afterPulse(),
    );
    this.#discovery.advance();
    for (const storeId of this.#wanted) this.#advancePeer(storeId);
  }

  /** Closes every link; the handler hears nothing any more. */
  /** `at-once` drops what was not sent: for a process that must end and may not get another turn of its loop. */
  stop(how: 'in-order' | 'at-once' = 'in-order'): void {
    this.#state = 'stopped';
    this.#pulse.stop();
    this.#notice.stop();
    this.#discovery.stop();
    for (const link of [...this.#strangers, ...this.#slotOf.keys()]) {
      if (how === 'at-once') link.abort('the store must stop');
      else link.close('the store is stopping');
    }
    for (const slot of this.#peers.slots()) this.#clearTimer(slot);
  }

  /** Takes a socket that was accepted on `/peer`; undefined refuses it. */
  acceptPeer(socket: Socket): SocketHandler | undefined {
    if (this.#state !== 'running' || this.#strangers.size >= this.#tuning.strangersMax) return undefined;
    const link = new Link(this.#owner, DISCOVERY, false);
    link.attach(socket);
    link.startGreeting();
    this.#strangers.add(link);
    return link;
  }

  // Cluster and addresses

  get clusterId(): string {
    return this.#clusterId;
  }

  /** Called once when a blank store founds or joins a cluster. Links to any other cluster end. */
  setClusterId(clusterId: string): void {
    assert(this.#clusterId === '' || this.#clusterId === clusterId, 'a store never changes its cluster');
    this.#clusterId = clusterId;
    for (const link of this.#peers.links()) this.#checkCluster(link, link.clusterId);
  }

  /** The cluster that a connected store said it belongs to; empty if to none, undefined if not connected. */
  clusterOf(storeId: StoreId): string | undefined {
    return this.#peers.get(storeId)?.slots[Lane.consensus].link?.clusterId;
  }

  /** What others should dial, for example after `listen` has chosen a port. */
  setAddress(address: string): void {
    if (this.#book.setOwnAddress(address)) this.#notice.changed();
  }

  addressBook(): readonly AddressEntry[] {
    return this.#book.entries();
  }

  /** Every store in the address book but this one. */
  knownStores(): readonly StoreId[] {
    return this.#book.entries().flatMap(({ storeId }) => (storeId === this.#storeId ? [] : [storeId]));
  }

  learn(storeId: StoreId, address: string, version: number): void {
    this.#mergeBook([{ storeId, incarnation: '', address, version }]);
  }

  addressOf(storeId: StoreId): string | undefined {
    return this.#book.get(storeId)?.address;
  }

  // Peers

  want(storeIds: readonly StoreId[]): void {
    const before = this.#wanted;
    this.#wanted = new Set(storeIds.filter((storeId) => storeId !== this.#storeId));
    for (const storeId of before) if (!this.#wanted.has(storeId)) this.#letGo(storeId);
    if (this.#state !== 'running') return;
    for (const storeId of this.#wanted) this.#advancePeer(storeId);
    this.#discovery.advance();
  }

  send(storeId: StoreId, lane: Lane, kind: number, body: Uint8Array, urgency: Urgency): boolean {
    return this.#peers.get(storeId)?.slots[lane].link?.send(kind, body, urgency) ?? false;
  }

  isUp(storeId: StoreId): boolean {
    return this.#peers.get(storeId)?.slots[Lane.consensus].link !== undefined;
  }

  queuedBytes(storeId: StoreId, lane: Lane): number {
    return this.#peers.get(storeId)?.slots[lane].link?.queuedBytes ?? 0;
  }

  clockOffsetMs(storeId: StoreId): number | undefined {
    return this.#peers.get(storeId)?.clock.offsetMs(this.#clock.monoMs(), this.#clock.wallMs());
  }

  /** For status pages: every store that is known, wanted or connected. */
  peers(): readonly PeerStatus[] {
    const ids = new Set([...this.knownStores(), ...this.#wanted, ...this.#peers.ids()]);
    return [...ids].sort().map((storeId) => ({
      storeId,
      address: this.addressOf(storeId),
      wanted: this.#wanted.has(storeId),
      clockOffsetMs: this.clockOffsetMs(storeId),
      ...laneStatus(this.#peers.get(storeId)),
    }));
  }

  // Dialling

  #self(): Self {
    const { identity, formats } = this.#options;
    return { ...identity, clusterId: this.#clusterId, formats, protocol: this.#options.protocol ?? protocol };
  }

  #advancePeer(storeId: StoreId): void {
    for (const slot of this.#peers.make(storeId).slots) this.#advance(slot);
  }

  /** Does the next thing that this lane needs, if it needs any. */
  #advance(slot: Slot): void {
    const { storeId } = slot.peer;
    if (this.#state !== 'running' || !this.#wanted.has(storeId)) return;
    if (slot.link !== undefined || slot.dial !== undefined || slot.timer !== undefined) return;
    if (this.addressOf(storeId) === undefined) return;
    const delayMs = this.#owner.rare.take('peer-dialled-at-once') ? 0 : slot.backoff.delayMs();
    slot.timer = this.#timers.set(delayMs, () => {
      slot.timer = undefined;
      const address = this.addressOf(storeId);
      if (slot.link !== undefined || slot.dial !== undefined || address === undefined) return;
      slot.dial = this.#dial(address, slot.lane, slot);
    });
  }

  #dial(address: string, lane: number, slot: Slot | undefined): Link {
    const link = new Link(this.#owner, lane, true);
    if (slot !== undefined) this.#slotOf.set(link, slot);
    this.traffic.dials++;
    link.attach(this.#options.network.dial(address, '/peer', link));
    return link;
  }

  #dialSeed(address: string): Link {
    return this.#dial(address, DISCOVERY, undefined);
  }

  /** Seeds help a store that knows nobody, misses the address of somebody, or reaches nobody it knows. */
  #needsDiscovery(): boolean {
    if (this.#state !== 'running') return false;
    if (this.knownStores().length === 0 || this.#owner.rare.take('seeds-asked')) return true;
    let reached = this.#wanted.size === 0;
    for (const storeId of this.#wanted) {
      if (this.addressOf(storeId) === undefined) return true;
      reached ||= this.isUp(storeId);
    }
    return !reached;
  }

  #letGo(storeId: StoreId): void {
    for (const slot of this.#peers.get(storeId)?.slots ?? []) {
      this.#clearTimer(slot);
      this.#dropDial(slot, 'not wanted any more');
      // What the other side dialled is its own wish.
      if (slot.link?.dialled) slot.link.close('not wanted any more');
    }
  }

  #dropDial(slot: Slot, reason: string): void {
    const { dial } = slot;
    slot.dial = undefined;
    dial?.close(reason);
  }

  #clearTimer(slot: Slot): void {
    if (slot.timer !== undefined) this.#timers.clear(slot.timer);
    slot.timer = undefined;
  }

  // Frames of links

  #opened(link: Link): void {
    link.startGreeting();
    this.#greeter.sayHello(link);
  }

  #received(link: Link, kind: number, body: Uint8Array): void {
    const peer = this.#slotOf.get(link)?.peer;
    if (link.phase !== 'up' || peer === undefined) {
      this.#greeted(link, kind, body);
    } else if (kind === FrameKind.ping) {
      const ping = readPing(body);
      const { sentMonoMs } = ping;
      link.sendNow(FrameKind.pong, (out) => writePong(out, { sentMonoMs, wallMs: this.#clock.wallMs() }));
      this.#mergeBook(ping.addressBook);
      this.#checkCluster(link, ping.clusterId);
    } else if (kind === FrameKind.pong) {
      // Bulk data may stand before a pong, so only the other lane tells the time.
      if (link.lane === Lane.consensus) peer.clock.observe(readPong(body), this.#clock.monoMs());
    } else {
      this.#handler?.onFrame(peer.storeId, link.lane as Lane, kind, body);
    }
  }

  #greeted(link: Link, kind: number, body: Uint8Array): void {
    if (!link.dialled && kind === FrameKind.hello) this.#accept(link, readHello(body));
    else if (link.dialled && kind === FrameKind.welcome) this.#welcomed(link, readHello(body));
    else if (link.dialled && kind === FrameKind.refusal) {
      this.#greeter.refused(link, body, this.#slotOf.get(link)?.peer.storeId);
    } else link.abort(`frame kind ${kind} before the handshake`);
  }

  /** A hello on an accepted socket. */
  #accept(link: Link, hello: Hello): void {
    const verdict = judge(this.#self(), hello, undefined) ?? this.#meet(hello);
    if (verdict !== undefined) {
      this.#greeter.refuse(link, hello, verdict);
      return;
    }
    link.lane = hello.lane;
    if (hello.lane === DISCOVERY) {
      // Its dialler closes it once it has the address book, or its time runs out.
      this.#greeter.sayWelcome(link);
      return;
    }
    const peer = this.#peers.make(hello.storeId);
    const slot = peer.slots[hello.lane as Lane];
    const ruling = ruleOnIncarnation(peer, hello) ?? ruleOnDuplicate(this.#storeId, slot, hello);
    const conflict = this.#apply(ruling);
    if (conflict !== undefined) {
      this.#greeter.refuse(link, hello, conflict);
      return;
    }
    slot.link?.close('replaced by a newer connection');
    this.#dropDial(slot, 'the other side dialled');
    this.#greeter.sayWelcome(link);
    this.#establish(link, slot, hello);
  }

  /** Takes over the address book of a store that passed; it must be in it. */
  #meet(theirs: Hello): Verdict | undefined {
    this.#mergeBook(theirs.addressBook);
    if (this.addressOf(theirs.storeId) !== undefined) return undefined;
    const message = `${theirs.storeId} did not say where it can be dialled, or the address book is full`;
    return { code: 'bad-store-id', message };
  }

  /** A welcome on a socket that we dialled. */
  #welcomed(link: Link, welcome: Hello): void {
    const slot = this.#slotOf.get(link);
    let verdict = judge(this.#self(), welcome, link.lane) ?? this.#meet(welcome);
    if (slot !== undefined) {
      verdict ??= judgeStore(slot, link, welcome) ?? this.#apply(ruleOnIncarnation(slot.peer, welcome));
    }
    if (verdict !== undefined) this.#greeter.leave(link, welcome, verdict);
    else if (slot === undefined) link.close('discovered');
    else this.#establish(link, slot, welcome);
  }

  /** The verdict of a rule, after its probes are on their way. */
  #apply(ruling: Ruling | undefined): Verdict | undefined {
    for (const link of ruling?.probe ?? []) this.#pulse.probe(link);
    return ruling?.verdict;
  }

  #establish(link: Link, slot: Slot, hello: Hello): void {
    const { peer } = slot;
    // The handler may have stopped everything as it heard of the link that this one replaces.
    if (this.#state !== 'running') {
      link.close('the store is stopping');
      return;
    }
    this.#strangers.delete(link);
    this.#clearTimer(slot);
    slot.dial = undefined;
    slot.link = link;
    this.#slotOf.set(link, slot);
    if (peer.incarnation !== hello.incarnation) {
      peer.incarnation = hello.incarnation;
      peer.clock = new ClockEstimate();
    }
    link.becomeUp(hello);
    const { storeId, incarnation, address } = hello;
    const lane = laneName(link.lane);
    const direction = link.dialled ? 'dialled' : 'accepted';
    this.#log.log('info', 'peer-up', { storeId, lane, direction, address, incarnation });
    this.#pulse.ping(link);
    if (slot.lane !== Lane.consensus) return;
    peer.announced = true;
    const identity: PeerIdentity = {
      storeId,
      incarnation,
      address,
      formats: [hello.formatMin, hello.formatMax],
    };
    this.#handler?.onUp(identity);
  }

  #closed(link: Link, reason: string): void {
    this.#strangers.delete(link);
    if (this.#discovery.closed(link)) return;
    const slot = this.#slotOf.get(link);
    if (slot === undefined) return;
    this.#slotOf.delete(link);
    if (slot.dial === link) this.#dialFailed(slot, link, reason);
    if (slot.link === link) this.#linkLost(slot, link, reason);
    this.#advance(slot);
    this.#discovery.advance();
  }

  #dialFailed(slot: Slot, link: Link, reason: string): void {
    slot.dial = undefined;
    if (slot.link !== undefined || this.#state === 'stopped') return;
    slot.backoff.failed();
    if (link.quiet) return;
    const { storeId } = slot.peer;
    // Once for each outage: while a store is down, every attempt fails alike.
    const level = slot.backoff.failures === 1 && slot.lane === Lane.consensus ? 'info' : 'debug';
    this.#log.log(level, 'peer-unreachable', {
      storeId,
      lane: laneName(link.lane),
      address: link.remoteAddress,
      reason,
    });
  }

  #linkLost(slot: Slot, link: Link, reason: string): void {
    slot.link = undefined;
    if (this.#state === 'stopped') return;
    const upMs = this.#clock.monoMs() - link.upAtMs;
    // A link that worked is dialled again at once; one that drops as soon as it is up is no success.
    if (upMs >= this.#tuning.stableMs) slot.backoff.reset();
    else slot.backoff.failed();
    const { peer } = slot;
    const fields = {
      storeId: peer.storeId,
      lane: laneName(link.lane),
      address: link.remoteAddress,
      reason,
      upMs,
    };
    this.#log.log('info', 'peer-down', fields);
    if (slot.lane === Lane.bulk) this.#handler?.onBulkDown(peer.storeId);
    if (!peer.announced || slot.lane !== Lane.consensus) return;
    peer.announced = false;
    this.#handler?.onDown(peer.storeId);
  }

  /** What the other side says of its cluster, at the handshake and in every ping after it. */
  #checkCluster(link: Link, clusterId: string): void {
    link.clusterId = clusterId;
    if (link.hello === undefined) return;
    const theirs = { ...link.hello, clusterId };
    const verdict = judge(this.#self(), theirs, link.lane);
    if (verdict !== undefined) this.#greeter.leave(link, theirs, verdict);
  }

  // Time and address book

  #afterPulse(): void {
    this.#discovery.advance();
    this.#meter?.publish(this.#peers.announced);
  }

  #mergeBook(entries: readonly AddressEntry[]): void {
    const changed = this.#book.merge(entries);
    if (changed.length === 0) return;
    this.#notice.changed();
    for (const storeId of changed) {
      if (!this.#wanted.has(storeId)) continue;
      for (const slot of this.#peers.make(storeId).slots) {
        // It is somewhere else now: the failures at the old place say nothing about the new one. A dial that
        // has got an answer may go on; its handshake will tell.
        if (slot.dial?.phase === 'connecting') this.#dropDial(slot, 'the address changed');
        slot.backoff.reset();
        this.#clearTimer(slot);
        this.#advance(slot);
      }
    }
  }
}
