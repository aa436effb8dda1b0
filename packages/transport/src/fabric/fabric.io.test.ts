import { Xxh64 } from '@flotilla/base';
import { Lane, type Listener, type Network, type Socket } from '@flotilla/ports';
import { FrameKind } from '@flotilla/wire';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { RecordingHost, text } from '../../contract/fabric-lab.ts';
import { until } from '../../contract/real-lab.ts';
import { ZstdCompressor } from '../compressors.ts';
import { NodeClock, NodeTimers, nodeJitter } from '../node-world.ts';
import { WsNetwork } from '../ws-network.ts';
import { Fabric } from './fabric.ts';
import type { FabricOptions } from './options.ts';

/** A fabric of its own timers and network on a real port. */
class RealStore {
  readonly host = new RecordingHost();
  readonly timers = new NodeTimers();
  readonly fabric: Fabric;
  /** Its sockets stay open, but nothing that it owes is sent any more. */
  frozen = false;
  readonly #network = new WsNetwork({ tuning: { closeTimeoutMs: 100 } });
  #listener: Listener | undefined;

  constructor(storeId: string, changes: Partial<FabricOptions> = {}) {
    this.fabric = new Fabric({
      identity: { storeId, incarnation: `${storeId}-life-1` },
      address: '',
      clusterId: 'c1',
      formats: [1, 1],
      network: this.#freezing(),
      timers: this.timers,
      clock: new NodeClock(),
      random: nodeJitter(),
      hasher: new Xxh64(),
      compressor: new ZstdCompressor(),
      log: { log: () => {} },
      ...changes,
    });
    this.fabric.bind(this.host);
  }

  #freezing(): Network {
    const thawed = (socket: Socket): Socket => ({
      send: (bytes) => {
        if (!this.frozen) socket.send(bytes);
      },
      close: (reason) => socket.close(reason),
      terminate: () => socket.terminate(),
      bufferedBytes: 0,
      remoteAddress: socket.remoteAddress,
    });
    return {
      dial: (address, path, handler) => thawed(this.#network.dial(address, path, handler)),
      listen: (address, accept, done) =>
        this.#network.listen(address, (socket, path) => accept(thawed(socket), path), done),
    };
  }

  async start(address = '127.0.0.1:0'): Promise<this> {
    this.#freezing().listen(
      address,
      (socket) => this.fabric.acceptPeer(socket),
      (result) => {
        if ('failure' in result) throw result.failure;
        this.#listener = result.listener;
      },
    );
    await until(() => this.#listener !== undefined);
    this.fabric.setAddress(this.address);
    this.fabric.start();
    return this;
  }

  get address(): string {
    return this.#listener?.address ?? '';
  }

  async stop(): Promise<void> {
    this.fabric.stop();
    this.timers.stop();
    await new Promise<void>((resolve) => {
      if (this.#listener === undefined) resolve();
      else this.#listener.close(resolve);
    });
  }
}

describe('the fabric over real sockets', () => {
  let stores: RealStore[] = [];
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.stop()));
    stores = [];
  });

  async function start(
    storeId: string,
    changes: Partial<FabricOptions> = {},
    address?: string,
  ): Promise<RealStore> {
    const store = new RealStore(storeId, changes);
    stores.push(store);
    return store.start(address);
  }

  const meshed = (count: number): boolean =>
    stores.every(
      ({ fabric }) => fabric.peers().filter((peer) => peer.consensusUp && peer.bulkUp).length === count - 1,
    );

  test('three stores with one seed find each other and exchange frames, also large ones', async () => {
    const seed = await start('s1');
    await start('s2', { seeds: [seed.address] });
    await start('s3', { seeds: [seed.address] });
    for (const { fabric } of stores) fabric.want(['s1', 's2', 's3']);
    await until(() => meshed(3));
    const [s1, s2, s3] = stores as [RealStore, RealStore, RealStore];
    const large = 'x'.repeat(2_000_000);
    expect(s1.fabric.send('s3', Lane.bulk, FrameKind.snapshotChunk, text(large), 'normal')).toBe(true);
    for (let count = 0; count < 500; count++) {
      s2.fabric.send('s3', Lane.consensus, FrameKind.raft, text(`${count}`), 'normal');
    }
    await until(() => s3.host.frames.length === 501);
    const fromS2 = s3.host.frames.filter((frame) => frame.from === 's2').map((frame) => Number(frame.text));
    expect(fromS2).toEqual(Array.from({ length: 500 }, (_, count) => count));
    expect(s3.host.frames.find((frame) => frame.from === 's1')?.text).toBe(large);
    await until(() => s1.fabric.clockOffsetMs('s2') !== undefined);
    expect(Math.abs(s1.fabric.clockOffsetMs('s2') as number)).toBeLessThan(1000);
  });

  test('a store that stops and comes back at another port is linked again', async () => {
    const s1 = await start('s1');
    const s2 = await start('s2', { seeds: [s1.address] });
    for (const { fabric } of stores) fabric.want(['s1', 's2']);
    await until(() => meshed(2));
    const addressBook = s2.fabric.addressBook();
    await s2.stop();
    stores.pop();
    await until(() => !s1.fabric.isUp('s2'));
    const again = await start('s2', { addressBook });
    again.fabric.want(['s1']);
    await until(() => meshed(2));
    expect(s1.fabric.addressOf('s2')).toBe(again.address);
    expect(s1.host.heard).toEqual(['up s2', 'down s2', 'up s2']);
  });

  test('garbage from a stranger costs the stranger its socket and nobody else', async () => {
    const s1 = await start('s1');
    await start('s2', { seeds: [s1.address] });
    for (const { fabric } of stores) fabric.want(['s1', 's2']);
    await until(() => meshed(2));
    for (const bytes of [new Uint8Array(0), new Uint8Array(16), new Uint8Array(100_000).fill(0xf1)]) {
      const stranger = new WebSocket(`ws://${s1.address}/peer`, 'flotilla.v1');
      let closed = false;
      stranger.on('open', () => stranger.send(bytes));
      stranger.on('error', () => {});
      stranger.on('close', () => {
        closed = true;
      });
      await until(() => closed);
    }
    expect(s1.fabric.traffic.framesBad).toBe(3);
    expect(meshed(2)).toBe(true);
    for (const { host } of stores) expect(host.heard.filter((event) => event.startsWith('down'))).toEqual([]);
  });

  test('a frozen peer is noticed by its silence', async () => {
    const tuning = { pingMs: 20, silentMs: 200 };
    const s1 = await start('s1', { tuning });
    const s2 = await start('s2', { seeds: [s1.address], tuning });
    for (const { fabric } of stores) fabric.want(['s1', 's2']);
    await until(() => meshed(2));
    s2.frozen = true;
    await until(() => s1.host.heard.length > 1);
    expect(s1.host.heard).toEqual(['up s2', 'down s2']);
  });
});
