import { Prng, type StoreId, VirtualTime, Xxh64 } from '@flotilla/base';
import type { Lane, LogFields, LogLevel, PeerHandler, PeerIdentity } from '@flotilla/ports';
import {
  Fabric,
  type FabricOptions,
  type MemoryNetwork,
  MemoryNetworkHub,
  RunLengthCompressor,
} from '@flotilla/transport';
import type { AddressEntry } from '@flotilla/wire';

/** What a host hears from its fabric, in order. */
export class RecordingHost implements PeerHandler {
  readonly heard: string[] = [];
  readonly frames: {
    readonly from: StoreId;
    readonly lane: Lane;
    readonly kind: number;
    readonly text: string;
  }[] = [];
  readonly up: Map<StoreId, PeerIdentity> = new Map();
  readonly bulkDowns: StoreId[] = [];

  onUp(peer: PeerIdentity): void {
    this.heard.push(`up ${peer.storeId}`);
    this.up.set(peer.storeId, peer);
  }

  onDown(storeId: StoreId): void {
    this.heard.push(`down ${storeId}`);
    this.up.delete(storeId);
  }

  onBulkDown(storeId: StoreId): void {
    this.bulkDowns.push(storeId);
  }

  onFrame(from: StoreId, lane: Lane, kind: number, body: Uint8Array): void {
    this.frames.push({ from, lane, kind, text: new TextDecoder().decode(body) });
  }
}

/** One store of the laboratory: its fabric and everything that it said. */
export class LabStore {
  readonly fabric: Fabric;
  readonly network: MemoryNetwork;
  readonly host: RecordingHost = new RecordingHost();
  readonly log: { readonly level: LogLevel; readonly event: string; readonly fields: LogFields }[] = [];
  book: readonly AddressEntry[];
  readonly address: string;

  constructor(lab: FabricLab, storeId: StoreId, changes: Partial<FabricOptions>) {
    this.address = changes.address ?? `${storeId}:7401`;
    this.network = lab.hub.network(storeId);
    this.book = changes.addressBook ?? [];
    this.fabric = new Fabric({
      identity: { storeId, incarnation: `${storeId}-life-1` },
      address: this.address,
      clusterId: 'c1',
      formats: [1, 1],
      network: this.network,
      timers: lab.time,
      clock: lab.time,
      random: lab.random.fork(storeId),
      hasher: new Xxh64(),
      compressor: new RunLengthCompressor(),
      log: { log: (level, event, fields) => this.log.push({ level, event, fields }) },
      onAddressBook: (entries) => {
        this.book = entries;
      },
      ...changes,
    });
    this.fabric.bind(this.host);
    this.network.listen(
      this.address,
      (socket, path) => (path === '/peer' ? this.fabric.acceptPeer(socket) : undefined),
      (result) => {
        if ('failure' in result) throw result.failure;
        this.fabric.start();
      },
    );
  }

  events(event: string): readonly LogFields[] {
    return this.log.filter((line) => line.event === event).map((line) => line.fields);
  }

  /** Ends the process as kill -9 does, or as a power cut. */
  kill(how: { readonly silently?: boolean } = {}): void {
    this.network.stop(how);
    this.fabric.stop();
  }
}

/** Stores on one virtual time and one memory network. */
export class FabricLab {
  readonly time: VirtualTime = new VirtualTime();
  readonly random: Prng;
  readonly hub: MemoryNetworkHub;

  constructor(seed = 1) {
    this.random = new Prng(seed);
    this.hub = new MemoryNetworkHub({ timers: this.time, policy: { route: () => 1 } });
  }

  store(storeId: StoreId, changes: Partial<FabricOptions> = {}): LabStore {
    return new LabStore(this, storeId, changes);
  }

  /** Stores that know and want each other. */
  cluster(...storeIds: readonly StoreId[]): readonly LabStore[] {
    const addressBook = storeIds.map((storeId) => ({
      storeId,
      incarnation: `${storeId}-life-1`,
      address: `${storeId}:7401`,
      version: 1,
    }));
    const stores = storeIds.map((storeId) => this.store(storeId, { addressBook }));
    for (const store of stores) store.fabric.want(storeIds);
    return stores;
  }

  /** Advances until the condition holds, and says how many milliseconds that took. */
  until(condition: () => boolean, withinMs = 60_000): number {
    const begin = this.time.monoMs();
    while (!condition()) {
      const due = this.time.nextDueMs();
      if (due === undefined || due > begin + withinMs) throw new Error(`not within ${withinMs} ms`);
      this.time.runNext();
    }
    return this.time.monoMs() - begin;
  }
}

export const text = (bytes: string): Uint8Array => new TextEncoder().encode(bytes);
