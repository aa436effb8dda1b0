import { type Entry, hexEncode, type Prng } from '@flotilla/base';
import type { HostTuning, Replica } from '@flotilla/host';
import type { LogStore, StateView } from '@flotilla/ports';
import { MemoryLogStore, MemoryStateStore, type MemoryWorld, type StateCopy } from '@flotilla/storage';
import { type MoveTuning, StoreNode } from '@flotilla/store';
import { Fabric, type MemoryNetwork, PlainColdCodec, RunLengthCompressor } from '@flotilla/transport';
import { type AddressEntry, entryFormats } from '@flotilla/wire';
import { CheckFailure } from '../checkers/failure.ts';
import { DiskLosses } from './disk-losses.ts';
import { EventKind } from './event-log.ts';
import { GatedNetwork } from './gated-network.ts';
import { NodeClock, NodeTimers } from './node-clock.ts';
import { ObservedLinks } from './observed-links.ts';
import { ObservedLogStore } from './observed-log-store.ts';
import { ObservedStateStore } from './observed-state-store.ts';
import { ProcessGate } from './process-gate.ts';
import type { SimWorld } from './sim-world.ts';
import { StoreWatch } from './store-watch.ts';

/** How one disk behaves. Both environments of a store lie on it. */
export interface DiskQuality {
  readonly syncMs: number;
  readonly jitterMs: number;
  readonly tailProbability: number;
  readonly tailMs: number;
}

/** Ways in which a machine can break its word. Every one must be noticed, else the checks are worth nothing. */
export type DiskSabotage = 'disk-lies' | 'disk-blank';

export interface SimStoreOptions {
  readonly bootstrap: readonly string[] | undefined;
  readonly seeds: readonly string[];
  readonly shardCount: number;
  readonly tuning: Partial<HostTuning>;
  /** How much of a shard travels at once. */
  readonly pieceBytes: number;
  readonly moveTuning: Partial<MoveTuning>;
  readonly disk: DiskQuality;
  readonly clockRate: number;
  readonly wallOffsetMs: number;
  readonly sabotage?: DiskSabotage | undefined;
  /** Sees every entry right after it was applied. */
  readonly onApplied: (store: SimStore, replica: Replica, entry: Entry) => void;
}

/** One life of the process. */
interface Life {
  readonly gate: ProcessGate;
  readonly network: MemoryNetwork;
  readonly fabric: Fabric;
  readonly node: StoreNode;
  /** Either of the two, whichever is read first. */
  readonly failNextRead: () => void;
}

const PLENTY = 1e12;
const SUPERVISOR_MS = 200;

/**
 * A machine with a disk, and the store process that runs on it from time to time. A crash takes the process;
 * a power cut takes the machine and with it what its disk had not made durable.
 */
export class SimStore {
  readonly id: string;
  readonly address: string;
  /** Added to every sync while it is set. */
  diskDelayMs = 0;
  /** What the disk has left; with nothing left no commit succeeds. */
  freeBytes: number = PLENTY;
  /** Somebody starts the process again when it ends itself. */
  isSupervised = false;
  crashes = 0;
  powerCuts = 0;
  readonly #world: SimWorld;
  readonly #options: SimStoreOptions;
  readonly #random: Prng;
  readonly #diskRandom: Prng;
  readonly losses: DiskLosses = new DiskLosses();
  readonly #incarnations: Prng;
  #incarnation: string;
  readonly #disk: MemoryWorld;
  #clock: NodeClock;
  #log: MemoryLogStore;
  #state: MemoryStateStore;
  /** Small files of the data directory: written through at once. */
  #clusterId: string | undefined;
  #addressBook: readonly AddressEntry[] = [];
  #life: Life | undefined;
  #lives = 0;
  #stalled = false;
  #copy: StateCopy | undefined;

  constructor(world: SimWorld, id: string, options: SimStoreOptions) {
    this.#world = world;
    this.id = id;
    this.address = `${id}:7400`;
    this.#options = options;
    this.#random = world.random.fork(`store ${id}`);
    this.#diskRandom = this.#random.fork('disk');
    this.#incarnations = this.#random.fork('incarnation');
    this.#incarnation = this.#newIncarnation();
    this.#clock = this.#bootClock(world.time.wallMs() + options.wallOffsetMs);
    this.#disk = {
      timers: world.time,
      delayMs: () => this.#syncMs(),
      isFull: () => this.freeBytes === 0,
      rare: world.rare.of(`disk ${id}`),
    };
    this.#log = new MemoryLogStore(this.#disk);
    this.#state = new MemoryStateStore(this.#disk);
  }

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  get isPaused(): boolean {
    return this.#life?.gate.isPaused === true;
  }

  get clock(): NodeClock {
    return this.#clock;
  }

  /** What its disk holds of the state right now, as far as it was applied, damaged or not. */
  get state(): StateView {
    return this.#state.raw;
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  /** What its disk holds of the logs of its groups. */
  get log(): LogStore {
    return this.#log;
  }

  /** Undefined while the process does not run. */
  get node(): StoreNode | undefined {
    return this.#life?.node;
  }

  start(): void {
    if (this.#life !== undefined) return;
    const world = this.#world;
    const life = ++this.#lives;
    const random = this.#random.fork(`life ${life}`);
    const gate = new ProcessGate();
    const timers = new NodeTimers(this.#clock, gate);
    const network = world.hub.network(this.id);
    const gated = new GatedNetwork(network, gate, (bytes) => {
      world.events.mixBytes(EventKind.deliver, this.#lives, bytes);
    });
    const log = this.losses.tolerant(world.log(this.id));
    const rare = world.rare.of(`${this.id} ${life}`);
    const watch = new StoreWatch(world.checker, world.contents, this.id, this.losses);
    watch.opens(this.#log);
    const fabric = new Fabric({
      identity: { storeId: this.id, incarnation: this.#incarnation },
      address: this.address,
      clusterId: this.#clusterId ?? '',
      formats: [entryFormats.min, entryFormats.max],
      seeds: this.#options.seeds.filter((seed) => seed !== this.address),
      addressBook: this.#addressBook,
      onAddressBook: (entries) => {
        this.#addressBook = entries;
      },
      network: gated,
      timers,
      clock: this.#clock,
      random: random.fork('fabric'),
      hasher: world.hasher,
      compressor: new RunLengthCompressor(),
      log,
      rare,
    });
    const links = new ObservedLinks({
      inner: fabric,
      watch,
      faults: world.frames,
      moveFaults: world.moveFrames,
      deaf: world.deaf,
      random: random.fork('frames'),
      timers: world.time,
    });
    const { sabotage } = this.#options;
    const logStore = new ObservedLogStore(
      this.#log,
      watch,
      gate,
      sabotage === 'disk-lies' ? timers : undefined,
    );
    const stateStore = new ObservedStateStore(this.#state, watch, gate);
    const node = new StoreNode(
      {
        clock: this.#clock,
        timers,
        random: random.fork('store'),
        hasher: world.hasher,
        logStore,
        stateStore,
        links,
        disk: { freeBytes: () => this.freeBytes, totalBytes: () => 2 * PLENTY },
        log,
        rare,
        codec: new PlainColdCodec(),
        meter: world.meter,
      },
      {
        storeId: this.id,
        incarnation: this.#incarnation,
        address: this.address,
        addressVersion: fabric.addressBook().find((entry) => entry.storeId === this.id)?.version ?? life,
        zone: '',
        clusterId: this.#clusterId,
        bootstrap: this.#options.bootstrap,
        shardCount: this.#options.shardCount,
        tuning: this.#options.tuning,
        pieceBytes: this.#options.pieceBytes,
        moveTuning: this.#options.moveTuning,
        onClusterId: (clusterId, done) => {
          this.#clusterId = clusterId;
          fabric.setClusterId(clusterId);
          done();
        },
        onFatal: (reason, code) => this.#exit(gate, reason, code),
        onApplied: (replica, entry) => this.#applied(watch, replica, entry),
      },
    );
    gate.unreadable = (cause) => this.#exit(gate, cause.message, 70);
    const failNextRead = (): void => {
      logStore.failNextRead();
      stateStore.failNextRead();
    };
    this.#life = { gate, network, fabric, node, failNextRead };
    this.#begin(gated, node, fabric);
  }

  #begin(network: GatedNetwork, node: StoreNode, fabric: Fabric): void {
    node.start();
    network.listen(
      this.address,
      (socket, path) => (path === '/peer' ? fabric.acceptPeer(socket) : node.acceptClient(socket)),
      (result) => {
        if ('failure' in result) throw result.failure;
        fabric.start();
      },
    );
  }

  /** The process dies; its machine goes on: what it wrote is safe, its connections are closed. */
  crash(): boolean {
    if (this.#life === undefined) return false;
    this.crashes++;
    this.#end(false);
    this.#log = this.#log.crash();
    this.#state = this.#state.crash();
    this.#applyStall();
    // Sabotage: the data is gone, and the store claims to be the same incarnation.
    if (this.#options.sabotage === 'disk-blank') this.#wipe();
    return true;
  }

  /** The machine dies without a word: of what was not durable, a random prefix survives. */
  powerCut(): boolean {
    if (this.#life === undefined) return false;
    this.powerCuts++;
    this.#end(true);
    const keep = (pending: number): number => this.#diskRandom.below(pending + 1);
    this.#log = this.#log.powerCut(keep);
    this.#state = this.#state.powerCut(keep);
    this.#clock = this.#bootClock(this.#clock.wallMs());
    this.#applyStall();
    return true;
  }

  /** The disk is replaced by a blank one, and the store comes back as another incarnation. */
  replaceDisk(): boolean {
    this.powerCut();
    this.losses.loseAll(this.#log);
    this.#wipe();
    this.#addressBook = [];
    this.#incarnation = this.#newIncarnation();
    this.start();
    return true;
  }

  /** Keeps a copy of the state, for {@link rollBack}. */
  copyState(): boolean {
    this.#copy = this.#state.copy();
    return true;
  }

  /** The machine dies; half of its disk, the one with the state, comes back as it was when the copy was made. */
  rollBack(): boolean {
    if (this.#copy === undefined) return false;
    this.powerCut();
    this.losses.loseAll(this.#log);
    this.#state = this.#state.rolledBackTo(this.#copy);
    this.#copy = undefined;
    this.#applyStall();
    return true;
  }

  /** A bit flips at rest, in the log or in the state of one of its replicas. */
  flipBit(choice: number): boolean {
    return this.losses.flipBit(this.#log, this.#state, choice, this.isRunning);
  }

  pause(): boolean {
    if (this.#life === undefined || this.isPaused) return false;
    this.#life.gate.pause();
    return true;
  }

  resume(): boolean {
    if (!this.isPaused) return false;
    this.#life?.gate.resume();
    return true;
  }

  stepClock(ms: number): void {
    this.#clock.stepWall(ms);
  }

  /** Its clocks go faster or slower, until this is called with 1. */
  drift(factor: number): void {
    this.#clock.drift(factor);
  }

  failNextCommit(of: 'log' | 'state'): boolean {
    if (this.#life === undefined) return false;
    (of === 'log' ? this.#log : this.#state).failNextCommit();
    return true;
  }

  failNextRead(): boolean {
    this.#life?.failNextRead();
    return this.#life !== undefined;
  }

  hasRoom(): boolean {
    const was = this.freeBytes;
    this.freeBytes = PLENTY;
    return was < PLENTY;
  }

  stall(isStalled: boolean): void {
    if (this.#stalled === isStalled) return;
    this.#stalled = isStalled;
    for (const disk of [this.#log, this.#state]) {
      if (isStalled) disk.stall();
      else disk.resume();
    }
  }

  #newIncarnation(): string {
    return hexEncode(Uint8Array.from({ length: 8 }, () => this.#incarnations.below(256)));
  }

  #wipe(): void {
    this.#log = new MemoryLogStore(this.#disk);
    this.#state = new MemoryStateStore(this.#disk);
    this.#clusterId = undefined;
    this.#copy = undefined;
    this.#applyStall();
  }

  #applyStall(): void {
    if (!this.#stalled) return;
    this.#log.stall();
    this.#state.stall();
  }

  #end(silently: boolean): void {
    const life = this.#life as Life;
    this.#life = undefined;
    life.gate.die();
    life.network.stop({ silently });
  }

  /** The process ends itself: at once for everybody else, while its last words are still being said. */
  #exit(gate: ProcessGate, reason: string, code: number): void {
    this.#world.events.tell(`${this.id} exits with code ${code}: ${reason}`);
    if (code !== 70) throw new CheckFailure('no error', `${this.id} exits with code ${code}: ${reason}`);
    gate.die();
    this.#world.time.soon(() => {
      if (this.#life?.gate === gate) this.crash();
      if (this.isSupervised) this.#world.time.set(SUPERVISOR_MS, () => this.start());
    });
  }

  #applied(watch: StoreWatch, replica: Replica, entry: Entry): void {
    watch.find(replica.group)?.appliesTo(entry.index);
    this.#world.events.mix(EventKind.applied, entry.index, entry.term);
    this.#options.onApplied(this, replica, entry);
  }

  #syncMs(): number {
    const { syncMs, jitterMs, tailProbability, tailMs } = this.#options.disk;
    const random = this.#diskRandom;
    let ms = syncMs + random.unit() * jitterMs + this.diskDelayMs;
    if (random.chance(tailProbability)) ms += random.unit() * tailMs;
    return ms;
  }

  /** A machine that boots begins its monotonic clock anew. */
  #bootClock(wallMs: number): NodeClock {
    const { time } = this.#world;
    const rate = this.#options.clockRate;
    return new NodeClock(time, {
      rate,
      originMs: 1_000 * this.#random.unit() - time.monoMs() * rate,
      wallMs,
    });
  }
}
