import { type Prng, Reader, Writer } from '@flotilla/base';
import type { Network, Socket } from '@flotilla/ports';
import {
  beginEntry,
  beginFrame,
  blankCommand,
  type ClusterConfig,
  EntryBody,
  entryFormats,
  FrameKind,
  protocol,
  Role,
  readBatchHead,
  readCommand,
  readEntryHead,
  sealFrame,
  writeBatchHead,
  writeCommand,
  writeHello,
  writeWriteHead,
} from '@flotilla/wire';
import type { SimWorld } from '../world/sim-world.ts';

export interface EchoParts {
  readonly world: SimWorld;
  readonly random: Prng;
  readonly config: () => ClusterConfig | undefined;
  /** Address of the store that leads this group now; undefined if none does. */
  readonly leaderOf: (gid: number) => string | undefined;
}

/** How many of the entries with executed commands are heard again. */
const CHANCE = 0.05;
const DELAY_MS_MAX = 12_000;
const TIME_LEFT_MS = 5_000;

/**
 * Sends commands that were executed once more, as a retry that comes late: under the number that they had, to the
 * group that owns their shard by then, at its epoch. Wherever the shard has gone, none may be executed again.
 */
export class Echo {
  readonly #parts: EchoParts;
  readonly #network: Network;
  readonly #sockets = new Map<string, { readonly socket: Socket; isOpen: boolean }>();
  #request = 0;
  #stopped = false;
  /** Sent to a leader. */
  count = 0;

  constructor(parts: EchoParts) {
    this.#parts = parts;
    this.#network = parts.world.hub.network('echo');
  }

  stop(): void {
    this.#stopped = true;
  }

  /** This batch of a client was applied, and all its commands executed. */
  executed(entry: Uint8Array): void {
    const { random, world } = this.#parts;
    if (this.#stopped || !random.chance(CHANCE)) return;
    const copy = entry.slice();
    world.time.set(random.unit() ** 2 * DELAY_MS_MAX, () => {
      if (!this.#stopped) this.#send(copy);
    });
  }

  #send(entry: Uint8Array): void {
    const head = readEntryHead(entry);
    const from = new Reader(entry, head.bodyAt);
    const { session, floor } = readBatchHead(from);
    const command = blankCommand();
    readCommand(from, command);
    const shard = this.#parts.config()?.shards[command.shard];
    const address = shard && this.#parts.leaderOf(shard.owner);
    if (shard === undefined || address === undefined) return;
    const out = new Writer(256);
    beginFrame(out);
    writeWriteHead(out, { request: ++this.#request, gid: shard.owner, timeLeftMs: TIME_LEFT_MS });
    beginEntry(out, EntryBody.clientBatch, 1);
    writeBatchHead(out, { session, floor });
    writeCommand(out, { ...command, epoch: shard.epoch });
    const frame = sealFrame(out, FrameKind.write, this.#parts.world.hasher);
    const link = this.#link(address);
    if (!link.isOpen) return;
    this.count++;
    link.socket.send(frame);
  }

  /** Opened at the first use, and again at the next one after it broke. */
  #link(address: string): { readonly socket: Socket; isOpen: boolean } {
    const known = this.#sockets.get(address);
    if (known !== undefined) return known;
    const socket = this.#network.dial(address, '/client', {
      onOpen: () => {
        socket.send(this.#hello());
        link.isOpen = true;
      },
      onMessage: () => {},
      onClose: () => this.#sockets.delete(address),
    });
    const link = { socket, isOpen: false };
    this.#sockets.set(address, link);
    return link;
  }

  #hello(): Uint8Array {
    const out = new Writer(64);
    beginFrame(out);
    writeHello(out, {
      role: Role.client,
      protocolMin: protocol.min,
      protocolMax: protocol.max,
      formatMin: entryFormats.min,
      formatMax: entryFormats.max,
      clusterId: '',
      storeId: '',
      incarnation: '',
      address: '',
      lane: 0,
      addressBook: [],
    });
    return sealFrame(out, FrameKind.hello, this.#parts.world.hasher);
  }
}
