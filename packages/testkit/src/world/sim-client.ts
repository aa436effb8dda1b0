import { ClientCore, type ClientOptions, type ClientPorts } from '@flotilla/client/core';
import type { Timers } from '@flotilla/ports';
import { type MemoryNetwork, PlainColdCodec } from '@flotilla/transport';
import { EventKind } from './event-log.ts';
import { GatedNetwork } from './gated-network.ts';
import { NodeClock, NodeTimers } from './node-clock.ts';
import { ProcessGate } from './process-gate.ts';
import type { SimWorld } from './sim-world.ts';

/** What somebody who looks into a client process puts in its place. */
export interface SimClientParts {
  readonly gate?: ProcessGate;
  readonly makeCore?: (ports: ClientPorts, options: ClientOptions) => ClientCore;
}

/** A client process with the real client core inside. */
export class SimClient {
  readonly id: string;
  readonly core: ClientCore;
  readonly timers: Timers;
  readonly clock: NodeClock;
  readonly gate: ProcessGate;
  readonly #network: MemoryNetwork;

  constructor(world: SimWorld, id: string, options: ClientOptions, parts: SimClientParts = {}) {
    this.id = id;
    this.gate = parts.gate ?? new ProcessGate();
    const random = world.random.fork(`client ${id}`);
    this.clock = new NodeClock(world.time, {
      rate: 1 + (random.unit() - 0.5) * 0.002,
      originMs: random.unit() * 1_000,
      wallMs: world.time.wallMs() + (random.unit() - 0.5) * 60_000,
    });
    this.timers = new NodeTimers(this.clock, this.gate);
    this.#network = world.hub.network(id);
    const network = new GatedNetwork(this.#network, this.gate, (bytes) => {
      world.events.mixBytes(EventKind.deliver, 0, bytes);
    });
    const ports: ClientPorts = {
      network,
      timers: this.timers,
      clock: this.clock,
      random: random.fork('core'),
      hasher: world.hasher,
      coldCodec: new PlainColdCodec(),
      rare: world.rare.of(id),
    };
    this.core = parts.makeCore?.(ports, options) ?? new ClientCore(ports, options);
  }

  /** Goes on trying until some store answers. */
  start(): void {
    this.core.start(() => {});
  }

  close(): void {
    this.core.close();
    this.gate.die();
    this.#network.stop();
  }
}
