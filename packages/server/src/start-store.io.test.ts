import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@flotilla/client';
import type { LogFields, LogLevel } from '@flotilla/ports';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from './config/load.ts';
import { type RunningStore, startStore } from './start-store.ts';

let directory: string;
let stores: RunningStore[];
/** Sees each line as it is written. */
let onLine: (event: string) => void;
const lines: { level: LogLevel; event: string; fields: LogFields }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-server-'));
  stores = [];
  lines.length = 0;
  onLine = () => {};
});

afterEach(async () => {
  await Promise.all(stores.map((store) => store.stopNow()));
  rmSync(directory, { recursive: true });
});

async function start(flags: Record<string, string> = {}): Promise<RunningStore> {
  const given = {
    id: 's1',
    data: join(directory, 's1'),
    listen: '127.0.0.1:0',
    bootstrap: 's1',
    shards: '4',
  };
  const { config } = loadConfig({ flags: { ...given, ...flags }, environment: {}, file: undefined });
  const store = await startStore(config, {
    log: {
      log: (level, event, fields) => {
        lines.push({ level, event, fields });
        onLine(event);
      },
    },
    onFatal: (reason) => {
      throw new Error(reason);
    },
  });
  stores.push(store);
  return store;
}

async function ready(store: RunningStore): Promise<void> {
  while (!store.node.readiness().ready) await new Promise((resolve) => setTimeout(resolve, 10));
}

const get = (store: RunningStore, path: string) => fetch(`http://${store.address}${path}`);

describe('a store with everything real', () => {
  test('founds a cluster, keeps data over a restart at another port, and keeps its identity', async () => {
    const first = await start();
    await ready(first);
    const before = await connect(first.address);
    await before.admin.join({ 1: ['s1'] });
    await before.put('kept', 'value');
    const { clusterId } = first.node;
    await before.close();
    await first.stop();
    const second = await start();
    expect(second.node.clusterId).toBe(clusterId);
    await using after = await connect(second.address);
    expect((await after.get('kept'))?.text()).toBe('value');
    // The controller hears of the new address soon after.
    let known: string[] = [];
    while (!known.includes(second.address)) {
      known = (await after.admin.config()).stores.map(({ address }) => address);
    }
    expect(known).toEqual([second.address]);
  });

  test('answers probes, metrics and questions on the port of its sockets', async () => {
    const store = await start();
    expect(await (await get(store, '/livez')).text()).toBe('ok\n');
    await ready(store);
    const probe = await get(store, '/readyz');
    expect([probe.status, await probe.text()]).toEqual([200, 'ready\n']);
    const metrics = await (await get(store, '/metrics')).text();
    expect(metrics).toMatch(/^flotilla_leaders 1$/m);
    expect(metrics).toMatch(/^process_resident_memory_bytes /m);
    const status = (await (await get(store, '/api/status')).json()) as Record<string, unknown>;
    expect(status).toMatchObject({ storeId: 's1', address: store.address, ready: true, configNumber: 1 });
    expect((await get(store, '/client')).status).toBe(426);
    const head = await fetch(`http://${store.address}/readyz`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test('is alive but not ready while it waits for the other founders, and says why', async () => {
    const store = await start({ bootstrap: 's1,s2,s3' });
    expect((await get(store, '/livez')).status).toBe(200);
    const probe = await get(store, '/readyz');
    expect(probe.status).toBe(503);
    expect(await probe.text()).toBe('not ready\n- this store belongs to no cluster yet\n');
  });

  test('leaves nothing open when it cannot start', async () => {
    const store = await start();
    const taken = store.address;
    const other = { id: 's2', data: join(directory, 's2'), bootstrap: 's2' };
    await expect(start({ ...other, listen: taken })).rejects.toThrow(
      /cannot listen on 127\.0\.0\.1:\d+: another process uses the port/,
    );
    await expect(start()).rejects.toThrow(/in use/);
    // The directory of the one that failed is free again.
    await start(other);
  });

  test('that stops in the middle of its founding has its identity all the same', async () => {
    const stopped = new Promise<void>((resolve) => {
      onLine = (event) => {
        if (event === 'cluster-founding') void stores[0]?.stopNow().then(resolve);
      };
    });
    await start();
    await stopped;
    expect(lines.map(({ event }) => event)).toContain('cluster-joined');
    const again = await start();
    expect(again.node.clusterId).not.toBe('');
    await ready(again);
  });

  test('stops once, however often it is asked', async () => {
    const store = await start();
    await ready(store);
    await Promise.all([store.stop(), store.stop(), store.stopNow()]);
    expect(lines.filter(({ event }) => event === 'store-stopped')).toHaveLength(1);
    await expect(get(store, '/livez')).rejects.toThrow();
  });
});
