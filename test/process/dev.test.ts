import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Cluster, devArgs } from './harness/cluster.ts';
import { freePorts, removeDirectories, temporaryDirectory } from './harness/places.ts';
import { ends } from './harness/processes.ts';
import { endAll, flotilla, Running, runShell } from './harness/running.ts';
import { health } from './harness/waits.ts';

// `flotilla dev` as a person uses it: real processes, Ctrl-C, kill -9, and the data of yesterday.

afterEach(endAll);
afterAll(removeDirectories);

describe('flotilla dev', () => {
  test('is ready within five seconds, and a write to every shard succeeds at once', async () => {
    const begin = performance.now();
    const cluster = await Cluster.start();
    expect(performance.now() - begin).toBeLessThan(5_000);
    const { endpoints, stores, dev } = cluster;
    expect(endpoints).toEqual([0, 1, 2].map((at) => `127.0.0.1:${cluster.port + at}`));
    expect(stores.map(({ id, address }) => [id, address])).toEqual(
      ['s1', 's2', 's3'].map((id, at) => [id, endpoints[at]]),
    );
    const ready = dev.out.map((line) => JSON.parse(line)).find(({ event }) => event === 'ready');
    expect(ready.console).toBe(`http://${endpoints[0]}/api/status`);
    expect((await fetch(ready.console)).status).toBe(200);
    const lines = Array.from({ length: 500 }, (_, at) => JSON.stringify({ key: `k${at}`, value: `v${at}` }));
    const loaded = await cluster.run(['load', '-', '--timeout', '1s'], { input: lines.join('\n') });
    expect([loaded.code, loaded.err]).toEqual([0, '']);
    const [config] = await cluster.json(['config']);
    const { shards, groups } = config as unknown as { shards: { owner: number }[]; groups: unknown[] };
    expect([shards.length, groups.length]).toEqual([64, 2]);
    expect(shards.filter(({ owner }) => owner === 1)).toHaveLength(32);
    const status = await cluster.run(['status']);
    expect(status.out.split('\n')[0]).toBe(
      'Healthy: 3 stores up, 2 data groups with a leader, all 64 shards are served.',
    );
    expect(status.code).toBe(0);
    await cluster.stop();
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'stops all of it at %s, and starting again continues',
    async (signal) => {
      const first = await Cluster.start();
      expect((await first.run(['put', 'kept', 'over the stop'])).code).toBe(0);
      const before = await first.json(['config']);
      expect(await first.dev.stop(signal)).toEqual({ code: 0, signal: undefined });
      for (const { pid } of first.stores) await ends(pid);
      const { directory, port } = first;
      const second = await Cluster.start({ directory, port });
      expect((await second.run(['get', 'kept'])).out).toBe('over the stop');
      expect(await second.json(['config'])).toEqual(before);
      await second.stop();
    },
  );

  test('finds its data again at other ports', async () => {
    const first = await Cluster.start();
    expect((await first.run(['put', 'moved', 'away'])).code).toBe(0);
    await first.stop();
    const second = await Cluster.start({ directory: first.directory });
    expect(second.port).not.toBe(first.port);
    expect((await second.run(['get', 'moved'])).out).toBe('away');
    await second.stop();
  });

  test('leaves nothing behind with --ephemeral', async () => {
    const directory = join(temporaryDirectory(), 'dev');
    const cluster = await Cluster.start({ directory, args: ['--ephemeral'] });
    const note = await cluster.dev.line(/new cluster of/);
    const used = / in (\S+)$/.exec(note)?.[1] as string;
    expect(readdirSync(used)).toContain('s1');
    await cluster.stop();
    expect([existsSync(used), existsSync(directory)]).toEqual([false, false]);
  });

  test('leaves a killed store down and prints the command that starts it again', async () => {
    const cluster = await Cluster.start();
    const { pid } = cluster.store('s2');
    process.kill(pid, 'SIGKILL');
    const ended = await cluster.dev.event('store-ended');
    expect(ended).toMatchObject({ id: 's2', signal: 'SIGKILL', restart: false });
    expect((await cluster.run(['put', 'two', 'of three'])).code).toBe(0);
    expect(await health(cluster, 'Degraded')).toBe('Degraded: store s2 is down; all 64 shards are served.');
    expect((await cluster.run(['status'])).code).toBe(2);
    const byHand = runShell(ended.command as string);
    await byHand.line(/^store s2 is ready/);
    expect(await health(cluster, 'Healthy')).toMatch(/^Healthy: 3 stores up/);
    await byHand.stop();
    await cluster.stop();
  });

  test('stays when all stores are down, until it is told to end', async () => {
    const cluster = await Cluster.start();
    for (const { pid } of cluster.stores) process.kill(pid, 'SIGKILL');
    const ended = await Promise.all(cluster.stores.map(({ id }) => cluster.dev.event('store-ended', { id })));
    const byHand = ended.map(({ command }) => runShell(command as string));
    await Promise.all(byHand.map((store) => store.line(/is ready/)));
    expect((await cluster.run(['put', 'up', 'again'])).code).toBe(0);
    await Promise.all(byHand.map((store) => store.stop()));
    await cluster.stop();
  });

  test('starts a killed store again with --restart', async () => {
    const cluster = await Cluster.start({ args: ['--restart'] });
    process.kill(cluster.store('s3').pid, 'SIGKILL');
    expect(await cluster.dev.event('store-ended')).toMatchObject({ id: 's3', restart: true });
    const started = await cluster.dev.event('store-started');
    expect(started.id).toBe('s3');
    await cluster.stop();
    await ends(started.pid as number);
  });

  test('takes its stores along when it is killed itself', async () => {
    const cluster = await Cluster.start();
    await cluster.dev.stop('SIGKILL');
    for (const { pid } of cluster.stores) await ends(pid);
  });

  test('says it is the same port when it is started twice', async () => {
    const cluster = await Cluster.start();
    const { directory, port } = cluster;
    const { code, err } = await flotilla(devArgs(directory, port, 3));
    expect(code).toBe(1);
    expect(JSON.parse(err).error.message).toMatch(
      /something listens there already, perhaps another flotilla dev/,
    );
    await cluster.stop();
  });

  test('refuses a directory that another dev uses, even at other ports', async () => {
    const cluster = await Cluster.start();
    const port = await freePorts(3);
    const { code, err } = await flotilla(devArgs(cluster.directory, port, 3));
    expect(code).toBe(1);
    const { message } = JSON.parse(err.split('\n').at(-1) as string).error;
    expect(message).toMatch(/^store s\d did not start: .* (is )?in use/);
    expect((await cluster.run(['put', 'still', 'fine'])).code).toBe(0);
    await cluster.stop();
  });

  test('refuses stores of two different clusters before it starts any', async () => {
    const one = await Cluster.start();
    await one.stop();
    const other = await Cluster.start();
    await other.stop();
    const foreign = join(other.directory, 's2', 'identity.json');
    writeFileSync(join(one.directory, 's2', 'identity.json'), readFileSync(foreign));
    const { code, err } = await flotilla(devArgs(one.directory, one.port, 3));
    expect(code).toBe(1);
    expect(JSON.parse(err).error.message).toMatch(
      /s2 belongs to cluster \w+, but .*s1 to cluster \w+: move the one that is wrong out of the way/,
    );
  });

  test('starts with one store, and with more groups and shards', async () => {
    const cluster = await Cluster.start({ stores: 1, args: ['--groups', '3', '--shards', '9'] });
    const [config] = await cluster.json(['config']);
    const { shards } = config as unknown as { shards: { owner: number }[] };
    const counts = [1, 2, 3].map((gid) => shards.filter(({ owner }) => owner === gid).length);
    expect(counts).toEqual([3, 3, 3]);
    expect((await cluster.run(['put', 'alone', 'here'])).code).toBe(0);
    await cluster.stop();
  });

  test('is stopped in the middle of its start without leaving a process', async () => {
    const directory = join(temporaryDirectory(), 'dev');
    const dev = new Running(devArgs(directory, await freePorts(3), 3));
    await dev.line(/new cluster of/);
    expect(await dev.stop('SIGTERM')).toEqual({ code: 0, signal: undefined });
  });
});
