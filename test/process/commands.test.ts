import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { freePorts, removeDirectories, temporaryDirectory } from './harness/places.ts';
import { commandLine, endAll, flotilla, Running, runShell } from './harness/running.ts';

// Every command against one cluster: what it prints, and what it exits with.

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
});

afterAll(async () => {
  await endAll();
  removeDirectories();
});

const errorOf = (err: string) => JSON.parse(err.split('\n').at(-1) as string).error;

describe('single keys', () => {
  test('put and get give back the value, with a newline for people', async () => {
    expect(await cluster.run(['put', 'a', 'hello'])).toMatchObject({ code: 0, out: 'ok, version 1' });
    const { code, bytes } = await cluster.run(['get', 'a']);
    expect([code, Buffer.from(bytes).toString()]).toEqual([0, 'hello\n']);
    const [record] = await cluster.json(['get', 'a']);
    expect(record).toMatchObject({ key: 'a', value: 'hello' });
    expect(record?.version).toBe(record?.createVersion);
  });

  test('an absent key prints nothing and exits 1; with --json it is null', async () => {
    expect(await cluster.run(['get', 'absent'])).toMatchObject({ code: 1, out: '', err: '' });
    expect(await cluster.run(['get', 'absent', '--json'])).toMatchObject({ code: 1, out: 'null', err: '' });
  });

  test('every read level finds what was written', async () => {
    await cluster.run(['put', 'levels', 'x']);
    for (const level of ['linearizable', 'follower', 'stale', 'stale=10s']) {
      const { code, out } = await cluster.run(['get', 'levels', '--read', level]);
      expect([level, code, out]).toEqual([level, 0, 'x']);
    }
  });

  test('append, incr and del change what is there', async () => {
    await cluster.run(['append', 'log', 'one']);
    await cluster.run(['append', 'log', ',two']);
    expect((await cluster.run(['get', 'log'])).out).toBe('one,two');
    expect((await cluster.run(['incr', 'visits'])).out).toBe('1');
    expect((await cluster.run(['incr', 'visits', '-5'])).out).toBe('-4');
    expect((await cluster.json(['incr', 'visits', '9223372036854775807']))[0]).toMatchObject({
      key: 'visits',
      value: '9223372036854775803',
    });
    expect((await cluster.run(['del', 'log'])).code).toBe(0);
    expect((await cluster.run(['get', 'log'])).code).toBe(1);
    expect((await cluster.run(['del', 'log'])).code).toBe(0);
  });

  test('incr refuses what is no number, and a sum that does not fit', async () => {
    await cluster.run(['put', 'word', 'abc']);
    const word = await cluster.run(['incr', 'word']);
    expect(word.code).toBe(1);
    expect(word.err).toMatch(/^error: .*word/);
    await cluster.run(['put', 'full', '9223372036854775807']);
    expect((await cluster.run(['incr', 'full'])).code).toBe(1);
    expect((await cluster.run(['get', 'full'])).out).toBe('9223372036854775807');
  });

  test('cas and conditions let only one of two writers win', async () => {
    await cluster.run(['put', 'race', 'old']);
    expect((await cluster.run(['cas', 'race', 'old', 'new'])).code).toBe(0);
    const lost = await cluster.run(['cas', 'race', 'old', 'other', '--json']);
    expect(lost.code).toBe(1);
    expect(errorOf(lost.err)).toMatchObject({ code: 'FLOTILLA_CONFLICT', outcome: 'not-applied' });
    expect((await cluster.run(['put', 'race', 'x', '--if-absent'])).code).toBe(1);
    expect((await cluster.run(['put', 'fresh', 'x', '--if-version', '0'])).code).toBe(0);
    expect((await cluster.run(['put', 'nobody', 'x', '--if-present'])).code).toBe(1);
    expect((await cluster.run(['get', 'race'])).out).toBe('new');
  });

  test('keys and values may be any bytes', async () => {
    expect((await cluster.run(['put', '00ff', 'fe00', '--hex'])).code).toBe(0);
    expect((await cluster.run(['get', '00ff', '--hex'])).out).toBe('fe00');
    const [record] = await cluster.json(['get', '00ff', '--hex']);
    expect(record).toMatchObject({ keyHex: '00ff', valueHex: 'fe00' });
    const { bytes } = await cluster.run(['get', '00ff', '--hex']);
    expect(Buffer.from(bytes).toString()).toBe('fe00\n');
    expect(await cluster.json(['scan', '00ff', '--hex'])).toEqual([record]);
  });

  test('a value may come from a file or from standard input, byte by byte', async () => {
    const value = randomBytes(1_048_576);
    const file = join(temporaryDirectory(), 'value');
    writeFileSync(file, value);
    expect((await cluster.run(['put', 'file', '--file', file])).code).toBe(0);
    const { bytes } = await cluster.run(['get', 'file']);
    expect(Buffer.compare(Buffer.from(bytes.subarray(0, -1)), value)).toBe(0);
    expect((await cluster.run(['put', 'input', '--file', '-'], { input: 'from input\n' })).code).toBe(0);
    const [record] = await cluster.json(['get', 'input']);
    expect(record?.value).toBe('from input\n');
  });

  test('limits hold at the limit and one byte beyond it', async () => {
    const key = 'k'.repeat(1024);
    expect((await cluster.run(['put', key, 'v'])).code).toBe(0);
    expect((await cluster.run(['get', key])).out).toBe('v');
    const longKey = await cluster.run(['put', `${key}k`, 'v', '--json']);
    expect(longKey.code).toBe(1);
    expect(errorOf(longKey.err)).toMatchObject({ retry: 'never', outcome: 'not-applied' });
    expect(errorOf(longKey.err).message).toMatch(/1,?025 bytes.*1,?024/);
    const file = join(temporaryDirectory(), 'long');
    writeFileSync(file, Buffer.alloc(1_048_577, 1));
    const longValue = await cluster.run(['put', 'long', '--file', file]);
    expect(longValue.code).toBe(1);
    expect(longValue.err).toMatch(/^error: .*1048576 bytes/);
    await cluster.run(['put', 'grown', '--file', '-'], { input: Buffer.alloc(1_048_576, 120) });
    const grown = await cluster.run(['append', 'grown', 'x']);
    expect(grown.code).toBe(1);
    expect((await cluster.json(['get', 'grown']))[0]?.value).toHaveLength(1_048_576);
  });

  test('--ttl takes the key away in time', async () => {
    await cluster.run(['put', 'brief', 'x', '--ttl', '300ms']);
    let code: number | undefined = 0;
    const deadline = performance.now() + 20_000;
    while (code === 0 && performance.now() < deadline) ({ code } = await cluster.run(['get', 'brief']));
    expect(code).toBe(1);
  });
});

describe('many keys', () => {
  test('scan goes over all shards in key order, forwards and backwards, and honours its limit', async () => {
    const keys = Array.from({ length: 300 }, (_, at) => `scan/${String(at).padStart(3, '0')}`);
    const lines = keys.map((key) => JSON.stringify({ key, value: key })).join('\n');
    expect((await cluster.run(['load', '-'], { input: lines })).code).toBe(0);
    const found = await cluster.json(['scan', 'scan/']);
    expect(found.map(({ key }) => key)).toEqual(keys);
    const last = await cluster.run(['scan', 'scan/', '--reverse', '--limit', '2', '--keys']);
    expect(last.out.split('\n')).toEqual(['scan/299', 'scan/298']);
    expect((await cluster.run(['scan', 'scan/', '--limit', '0'])).out).toBe('');
    expect((await cluster.run(['scan', 'nothing/'])).code).toBe(0);
  });

  test('a reader that goes away ends a scan quietly', async () => {
    const scan = commandLine(['scan', '""', '--endpoints', cluster.endpoints.join(',')]);
    const head = runShell(`sh -c '(${scan}; echo code $? >&2) | head -n 1'`);
    expect((await head.exit).code).toBe(0);
    expect([head.out.length, head.err]).toEqual([1, ['code 0']]);
  });

  test('dump writes what load reads, whatever the bytes', async () => {
    await cluster.run(['put', Buffer.from('dump/\xff', 'latin1').toString('hex'), '00ff', '--hex']);
    await cluster.run(['put', 'dump/text', 'two\nlines "quoted"']);
    const dumped = await cluster.run(['dump', 'dump/']);
    expect(dumped.out.split('\n').map((line) => JSON.parse(line))).toEqual([
      { key: 'dump/text', value: 'two\nlines "quoted"' },
      { keyHex: '64756d702fff', valueHex: '00ff' },
    ]);
    await cluster.run(['del', 'dump/text']);
    expect((await cluster.run(['load', '-'], { input: dumped.out })).code).toBe(0);
    expect((await cluster.run(['dump', 'dump/'])).out).toBe(dumped.out);
  });

  test('load names the line of each mistake, and stops there unless told to go on', async () => {
    const file = join(temporaryDirectory(), 'records.jsonl');
    const lines = [
      '{"key":"load/1","value":{"a":[1, 2]}}',
      '{"key":"load/2"}',
      'nonsense',
      '{"key":"load/4","value":4}',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const stopped = await cluster.run(['load', file]);
    expect(stopped.code).toBe(1);
    expect(stopped.err).toContain(`error: ${file}:2: there is no "value"`);
    expect((await cluster.run(['get', 'load/4'])).code).toBe(1);
    const whole = await cluster.run(['load', file, '--continue-on-error']);
    expect(whole.code).toBe(1);
    expect(whole.err).toContain(`error: ${file}:3: not JSON`);
    expect(whole.out).toMatch(/^stored 2 records .*; 2 lines failed$/);
    expect((await cluster.run(['get', 'load/1'])).out).toBe('{"a":[1,2]}');
    expect((await cluster.run(['get', 'load/4'])).out).toBe('4');
  });
});

describe('the cluster', () => {
  test('config tells each version with its cause, and where names the place of a key', async () => {
    const [newest] = await cluster.json(['config']);
    const all = await cluster.json(['config', '--all']);
    expect(all.map(({ number }) => number)).toEqual(all.map((_, at) => at + 1));
    expect(all.at(-1)?.number).toBe(newest?.number);
    for (const { cause, atMs } of all) expect([typeof cause, Number(atMs) > 0]).toEqual(['string', true]);
    const [first] = await cluster.json(['config', '1']);
    expect(first).toMatchObject({ number: 1, groups: [] });
    const future = await cluster.run(['config', '999999']);
    expect(future.code).toBe(1);
    expect(future.err).toMatch(/^error: .*999999/);
    const [place] = await cluster.json(['where', 'package/bash']);
    const { shards } = newest as unknown as { shards: { owner: number; epoch: number }[] };
    const { shard, replicas } = place as unknown as { shard: number; replicas: { store: string }[] };
    const { owner, epoch } = shards[shard] as { owner: number; epoch: number };
    expect(place).toMatchObject({ key: 'package/bash', group: owner, epoch });
    expect(replicas.map(({ store }) => store)).toEqual(['s1', 's2', 's3']);
    const text = await cluster.run(['where', 'package/bash']);
    expect(text.out).toMatch(
      /^package\/bash -> shard \d+, group [12], epoch 1, leader s[123], replicas s1 127/,
    );
    // Keys with one hash tag share their shard.
    const [left] = await cluster.json(['where', 'user:{42}:name']);
    const [right] = await cluster.json(['where', 'order:{42}']);
    expect(left?.shard).toBe(right?.shard);
  });

  test('transfer-leader hands a group to the store that was named', async () => {
    for (const gid of [1, 0]) {
      for (const store of ['s1', 's2']) {
        expect(await cluster.run(['transfer-leader', String(gid), store])).toMatchObject({
          code: 0,
          out: `group ${gid} is led by ${store}`,
        });
      }
    }
    const unknown = await cluster.run(['transfer-leader', '1', 's9']);
    expect(unknown.code).toBe(1);
    expect(unknown.err).toMatch(/^error: .*s9/);
  });

  test('join is refused for unknown stores and for other stores, and is a success when repeated', async () => {
    const unknown = await cluster.run(['join', '3', '--stores', 's1,s2,s9']);
    expect(unknown.code).toBe(1);
    expect(unknown.err).toMatch(/^error: .*s9/);
    const repeated = await cluster.run(['join', '1', '--stores', 's1,s2,s3', '--json']);
    expect(repeated.code).toBe(0);
    expect(JSON.parse(repeated.out)).toMatchObject({ changed: false });
    const other = await cluster.run(['join', '1', '--stores', 's1,s2']);
    expect(other.code).toBe(1);
    expect(other.err).toMatch(/warning: group 1: an even number/);
    expect(other.err).toMatch(/error: .*1/);
  });

  test('a fourth store joins at run time and holds a group that says what it waits for', async () => {
    const port = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    const data = join(temporaryDirectory(), 's4');
    const join4 = ['store', '--id', 's4', '--listen', address, '--data', data];
    const store = new Running([...join4, '--join', cluster.endpoints[0] as string]);
    await store.line(/^store s4 is ready/);
    const [status] = await cluster.json(['status']);
    const { stores } = status as unknown as { stores: { storeId: string }[] };
    expect(stores.map(({ storeId }) => storeId)).toEqual(['s1', 's2', 's3', 's4']);
    const joined = await cluster.run(['join', '4', '--stores', 's2,s3,s4']);
    expect(joined.code).toBe(0);
    expect(joined.out.length).toBeGreaterThan(0);
    const viaFourth = await flotilla(['get', 'race', '--endpoints', address]);
    expect(viaFourth).toMatchObject({ code: 0, out: 'new' });
    await store.stop();
  });

  test('bench prints its result as one line that programs read', async () => {
    for (const workload of ['put', 'get', 'mix']) {
      const words = ['--workload', workload, '--duration', '500ms', '--callers', '8', '--keys', '100'];
      const result = (await cluster.json(['bench', ...words])).at(-1) as Record<string, unknown>;
      expect(Object.keys(result)).toEqual([
        ...['workload', 'callers', 'seconds', 'operations', 'errors', 'opsPerSecond'],
        ...['p50Ms', 'p99Ms', 'p999Ms', 'maxMs'],
      ]);
      expect(result).toMatchObject({ workload, callers: 8, errors: 0 });
      expect(Number(result.operations)).toBeGreaterThan(0);
    }
  });

  test('probes and metrics answer on the same port', async () => {
    const base = `http://${cluster.endpoints[0]}`;
    expect(await (await fetch(`${base}/livez`)).text()).toBe('ok\n');
    expect((await fetch(`${base}/readyz?verbose`)).status).toBe(200);
    expect(await (await fetch(`${base}/metrics`)).text()).toMatch(/^flotilla_ready 1$/m);
    const status = (await (await fetch(`${base}/api/status`)).json()) as { storeId: string };
    expect(status.storeId).toBe('s1');
    expect((await fetch(`${base}/nothing`)).status).toBe(404);
    expect((await fetch(`${base}/livez`, { method: 'POST' })).status).toBe(405);
  });
});

describe('endpoints', () => {
  test('that nobody answers are told with their addresses, exit code 3', async () => {
    const port = await freePorts(1);
    const begin = performance.now();
    const { code, err } = await flotilla(['get', 'a', '--timeout', '1s', '--endpoints', `127.0.0.1:${port}`]);
    expect(performance.now() - begin).toBeLessThan(5_000);
    expect(code).toBe(3);
    expect(err).toMatch(new RegExp(`^error: .*127\\.0\\.0\\.1:${port}`));
    expect(err).not.toMatch(/^ +at /m);
  });

  test('may be dead but for one', async () => {
    const dead = await freePorts(1);
    const endpoints = `flotilla://127.0.0.1:${dead},${cluster.endpoints[1]}`;
    expect(await flotilla(['get', 'race', '--endpoints', endpoints])).toMatchObject({ code: 0, out: 'new' });
    const env = { FLOTILLA_ENDPOINTS: `:${cluster.port}` };
    expect(await flotilla(['get', 'race'], { env })).toMatchObject({ code: 0, out: 'new' });
  });
});
