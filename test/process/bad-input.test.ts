import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { Writer, Xxh64 } from '@flotilla/base';
import { connect } from '@flotilla/client';
import { WsNetwork } from '@flotilla/transport';
import {
  beginFrame,
  FrameKind,
  type Hello,
  openFrame,
  protocol,
  Role,
  readRefusal,
  sealFrame,
  writeHello,
} from '@flotilla/wire';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { freePorts, removeDirectories, temporaryDirectory } from './harness/places.ts';
import { endAll, flotilla, isAlive, Running } from './harness/running.ts';

// What strangers, broken disks and mistaken people bring. One clear message each, and the cluster stays up.

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.run(['put', 'witness', 'unharmed']);
});

afterAll(async () => {
  for (const { pid } of cluster.stores) expect(isAlive(pid)).toBe(true);
  expect((await cluster.run(['get', 'witness'])).out).toBe('unharmed');
  await endAll();
  removeDirectories();
});

/** A data directory that belonged to a store of a cluster, now stopped. */
async function usedDirectory(): Promise<string> {
  const data = join(temporaryDirectory(), 's1');
  const listen = `127.0.0.1:${await freePorts(1)}`;
  const store = new Running(['store', '--id', 's1', '--data', data, '--listen', listen, '--bootstrap', 's1']);
  await store.line(/^store s1 is ready/);
  await store.stop();
  return data;
}

async function refusalOf(args: readonly string[]): Promise<string> {
  const listen = `127.0.0.1:${await freePorts(1)}`;
  const { code, err } = await flotilla(['store', '--listen', listen, ...args]);
  expect(code).toBe(1);
  const errors = err.split('\n').filter((line) => line.startsWith('error: '));
  expect(errors).toHaveLength(1);
  expect(err).not.toMatch(/^ +at /m);
  return errors[0] as string;
}

describe('a data directory', () => {
  test('of another store is refused with both names', async () => {
    const data = await usedDirectory();
    expect(await refusalOf(['--id', 's2', '--data', data])).toMatch(/belongs to store "s1", not to "s2"/);
  });

  test('with a half-written identity is refused, and says what to do', async () => {
    const data = await usedDirectory();
    const file = join(data, 'identity.json');
    writeFileSync(file, readFileSync(file).subarray(0, 40));
    expect(await refusalOf(['--id', 's1', '--data', data])).toMatch(/identity\.json .*not JSON.*Restore/s);
  });

  test('that lost its data but not its identity is refused', async () => {
    const data = await usedDirectory();
    const blank = join(temporaryDirectory(), 's1');
    cpSync(join(data, 'identity.json'), join(blank, 'identity.json'));
    expect(await refusalOf(['--id', 's1', '--data', blank])).toMatch(/is empty: its file was lost/);
  });

  test('that a running store uses is refused', async () => {
    const data = join(cluster.directory, 's1');
    expect(await refusalOf(['--id', 's1', '--data', data])).toMatch(/in use/);
  });

  test('of another cluster gets no connection, and the log says why', async () => {
    const data = join(temporaryDirectory(), 's9');
    const listen = `127.0.0.1:${await freePorts(1)}`;
    const base = ['store', '--id', 's9', '--data', data, '--listen', listen];
    const alone = new Running([...base, '--bootstrap', 's9']);
    await alone.line(/^store s9 is ready/);
    await alone.stop();
    const stranger = new Running([...base, '--join', cluster.endpoints.join(',')]);
    const line = await stranger.line(/wrong-cluster/);
    expect(JSON.parse(line).store).toBe('s9');
    expect(stranger.running).toBe(true);
    await stranger.stop();
    const { out } = await cluster.run(['status', '--json']);
    expect(JSON.parse(out).stores.map(({ storeId }: { storeId: string }) => storeId)).not.toContain('s9');
  });
});

/** Talks to a store below the client: says each message after an answer, and returns what comes until the close. */
function converse(messages: readonly Uint8Array[]): Promise<{ answers: Uint8Array[]; reason: string }> {
  const answers: Uint8Array[] = [];
  const left = [...messages];
  return new Promise((resolve) => {
    const say = (): void => {
      const message = left.shift();
      if (message !== undefined) socket.send(message);
    };
    const socket = new WsNetwork().dial(cluster.endpoints[0] as string, '/client', {
      onOpen: say,
      onMessage: (bytes) => {
        answers.push(bytes);
        say();
      },
      onClose: (reason) => resolve({ answers, reason }),
    });
  });
}

function frame(kind: number, body: Uint8Array): Uint8Array {
  const out = new Writer();
  beginFrame(out);
  out.raw(body);
  return sealFrame(out, kind, new Xxh64());
}

function hello(change: Partial<Hello> = {}): Uint8Array {
  const out = new Writer();
  writeHello(out, {
    role: Role.client,
    protocolMin: protocol.min,
    protocolMax: protocol.max,
    formatMin: 1,
    formatMax: 1,
    clusterId: '',
    storeId: '',
    incarnation: '',
    address: '',
    lane: 0,
    addressBook: [],
    ...change,
  });
  return frame(FrameKind.hello, out.finish());
}

describe('a stranger on the socket', () => {
  test('of another protocol version is told what to do', async () => {
    const { answers } = await converse([hello({ protocolMin: 98, protocolMax: 99 })]);
    expect(answers).toHaveLength(1);
    const answer = openFrame(answers[0] as Uint8Array, new Xxh64(), 1_000_000);
    expect(answer.kind).toBe(FrameKind.refusal);
    const { code, message } = readRefusal(answer.body);
    expect(code).toMatch(/protocol|version/);
    expect(message).toMatch(/1.*98|98.*1/s);
  });

  test('of another cluster is refused', async () => {
    const { answers } = await converse([hello({ clusterId: 'another' })]);
    const answer = openFrame(answers[0] as Uint8Array, new Xxh64(), 1_000_000);
    expect(answer.kind).toBe(FrameKind.refusal);
    expect(readRefusal(answer.body).code).toBe('wrong-cluster');
  });

  test('that sends a frame with a bad checksum loses its own connection', async () => {
    const broken = hello();
    broken[20] = (broken[20] as number) ^ 1;
    const { answers, reason } = await converse([broken]);
    expect(answers).toEqual([]);
    expect(reason).not.toBe('');
  });

  test('that goes on with garbage after its hello loses its own connection', async () => {
    const garbage = Uint8Array.from({ length: 500 }, (_, at) => (at * 37) & 0xff);
    const { answers } = await converse([hello(), garbage]);
    expect(openFrame(answers[0] as Uint8Array, new Xxh64(), 1_000_000).kind).toBe(FrameKind.welcome);
  });

  test('that sends broken bodies in well-made frames loses its own connection', async () => {
    for (const kind of [FrameKind.write, FrameKind.read, FrameKind.admin]) {
      const { answers } = await converse([hello(), frame(kind, Uint8Array.of(1, 2, 3))]);
      expect(answers).toHaveLength(1);
    }
  });

  test('that says what this version does not know is borne with, since it may be newer', async () => {
    const unknown = [0, 99, FrameKind.raft].map((kind) => frame(kind, Uint8Array.of(1, 2, 3)));
    const kinds = await new Promise<number[]>((resolve) => {
      const seen: number[] = [];
      const socket = new WsNetwork().dial(cluster.endpoints[0] as string, '/client', {
        onOpen: () => socket.send(hello()),
        onMessage: (bytes) => {
          seen.push(openFrame(bytes, new Xxh64(), 1_000_000).kind);
          if (seen.length > 1) socket.close('enough');
          else
            for (const message of [...unknown, frame(FrameKind.ping, new Uint8Array(8))])
              socket.send(message);
        },
        onClose: () => resolve(seen),
      });
    });
    expect(kinds).toEqual([FrameKind.welcome, FrameKind.pong]);
  });

  test('that speaks no WebSocket is turned away', async () => {
    for (const text of ['\0\x01\x02garbage\r\n\r\n', 'GET / HTTP/1.1\r\nhost: x\r\nupgrade: x\r\n\r\n']) {
      await new Promise<void>((resolve) => {
        const socket = connectTcp(Number(cluster.endpoints[0]?.split(':')[1]), '127.0.0.1', () =>
          socket.end(text),
        );
        socket.on('error', () => {});
        socket.on('close', () => resolve());
        socket.resume();
      });
    }
  });
});

describe('a bad command among good ones', () => {
  test('fails alone: the others of the same turn are stored', async () => {
    await using db = await connect({ endpoints: [...cluster.endpoints] });
    const results = await Promise.allSettled([
      db.put('good/1', 'x'),
      db.put('', 'x'),
      db.put('k'.repeat(1025), 'x'),
      db.put('big', new Uint8Array(1_048_577)),
      db.increment('witness', 1),
      db.put('good/2', 'x'),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
    for (const result of results) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ retry: 'never', outcome: 'not-applied' });
    }
    expect((await db.get('good/2'))?.text()).toBe('x');
  });
});
