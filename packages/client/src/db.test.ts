import { BatchStatus, Status } from '@flotilla/wire';
import { afterEach, expect, expectTypeOf, test } from 'vitest';
import { parseEndpoints } from './connect.ts';
import type { Db } from './db.ts';
import {
  AbortedError,
  ClosedError,
  ConflictError,
  DeadlineError,
  InvalidArgumentError,
  NotANumberError,
  UnavailableError,
} from './errors.ts';
import type { KeyRecord } from './index.ts';
import { Bench } from './testing/facade-bench.ts';

let open: Db | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function start(): Promise<{ bench: Bench; db: Db }> {
  const bench = new Bench();
  open = await bench.connect();
  return { bench, db: open };
}

test('what was put is found again, with its version and as text or bytes', async () => {
  const { bench, db } = await start();
  const { version } = await bench.run(db.put('alice', 'hello'));
  expect(version).toBe(1);
  const found = await bench.run(db.get('alice'));
  expect(found).toMatchObject({ key: 'alice', version: 1, createVersion: 1 });
  expect(found?.text()).toBe('hello');
  expect(found?.value).toEqual(new TextEncoder().encode('hello'));
  expect(await bench.run(db.get('bob'))).toBeUndefined();
  const binary = new Uint8Array([0xff, 0, 1]);
  await bench.run(db.put(binary, binary));
  expect((await bench.run(db.get(binary)))?.keyBytes).toEqual(binary);
});

test('append, increment and delete do what they say', async () => {
  const { bench, db } = await start();
  await bench.run(db.append('log', 'a'));
  await bench.run(db.append('log', 'b'));
  expect((await bench.run(db.get('log')))?.text()).toBe('ab');
  expect(await bench.run(db.increment('visits'))).toMatchObject({ value: 1, text: '1' });
  expect(await bench.run(db.increment('visits', -5n))).toMatchObject({ value: -4, text: '-4' });
  await bench.run(db.delete('log'));
  expect(await bench.run(db.get('log'))).toBeUndefined();
  expect(await bench.failureOf(db.append('visits', 'x').then(() => db.increment('visits')))).toBeInstanceOf(
    NotANumberError,
  );
});

test('a lost race is a ConflictError with what was expected and what is there', async () => {
  const { bench, db } = await start();
  const { version } = await bench.run(db.put('alice', '1'));
  await bench.run(db.put('alice', '2', { ifVersion: version }));
  const error = await bench.failureOf(db.put('alice', '3', { ifVersion: version }));
  expect(error).toBeInstanceOf(ConflictError);
  expect(error).toMatchObject({
    code: 'FLOTILLA_CONFLICT',
    outcome: 'not-applied',
    key: 'alice',
    expected: 1,
    actual: 2,
  });
  expect(error.message).toBe(
    '"alice" was expected at version 1, but it is at version 2: read it again and decide anew',
  );
});

test('keys and values at their limit are taken, one byte more is refused before anything is sent', async () => {
  const { bench, db } = await start();
  await bench.run(db.put('k'.repeat(1024), 'x'.repeat(1_048_576)));
  const frames = bench.cluster.seen.length;
  const wrong: Promise<unknown>[] = [
    db.put('', 'x'),
    db.get(''),
    db.put('k'.repeat(1025), 'x'),
    db.put('k', 'x'.repeat(1_048_577)),
    db.put('k', 'x', { ttl: 0 }),
    db.put('k', 'x', { ifVersion: -1 }),
    db.get('k', { maxAge: 5 }),
    db.increment('k', 1.5),
    db.increment('k', 2n ** 63n),
    db.getMany(['a', '']),
    db.deleteRange({}),
    db.deleteRange({ prefix: 'a', from: 'b' }),
    db.put(7 as unknown as string, 'x'),
    db.admin.join({}),
    db.admin.join({ 0: ['s1'] }),
  ];
  for (const attempt of wrong) expect(await bench.failureOf(attempt)).toBeInstanceOf(InvalidArgumentError);
  expect(bench.cluster.seen.length).toBe(frames);
});

test('a loop over a scan gives records in key order, and leaving it ends the scan', async () => {
  const { bench, db } = await start();
  await bench.run(Promise.all(Array.from({ length: 300 }, (_, at) => db.put(`user:${1000 + at}`, `${at}`))));
  const collect = async (most: number, options = {}): Promise<string[]> => {
    const keys: string[] = [];
    for await (const record of db.scan({ prefix: 'user:', ...options })) {
      keys.push(record.key);
      if (keys.length === most) break;
    }
    return keys;
  };
  const all = await bench.run(collect(1000));
  expect(all).toEqual(Array.from({ length: 300 }, (_, at) => `user:${1000 + at}`));
  expect(await bench.run(collect(1000, { limit: 3, reverse: true }))).toEqual(all.slice(-3).reverse());
  expect(await bench.run(collect(2))).toEqual(all.slice(0, 2));
  expect(await bench.run(db.deleteRange({ prefix: 'user:12' }))).toEqual({ deleted: 100 });
  expect((await bench.run(collect(1000))).length).toBe(200);
});

test('getMany keeps the order of its keys', async () => {
  const { bench, db } = await start();
  await bench.run(Promise.all([db.put('a', '1'), db.put('c', '3')]));
  const some = await bench.run(db.getMany(['c', 'b', 'a']));
  expect(some.map((record) => record?.text())).toEqual(['3', undefined, '1']);
  expect(await bench.run(db.getMany([]))).toEqual([]);
});

test('a signal that has fired already sends nothing; one that fires later says that the outcome is unknown', async () => {
  const { bench, db } = await start();
  await bench.run(db.put('a', '1'));
  const frames = bench.cluster.seen.length;
  const reason = new Error('enough');
  const early = await bench.failureOf(db.put('a', '2', { signal: AbortSignal.abort(reason) }));
  expect(early).toBeInstanceOf(AbortedError);
  expect(early).toMatchObject({ outcome: 'not-applied', cause: reason });
  expect(bench.cluster.seen.length).toBe(frames);

  for (const store of bench.cluster.stores.values()) store.script = () => 'ignore';
  const late = new AbortController();
  bench.time.set(50, () => late.abort(reason));
  expect(await bench.failureOf(db.put('a', '3', { signal: late.signal }))).toMatchObject({
    code: 'FLOTILLA_ABORTED',
    outcome: 'unknown',
  });
  const scan = new AbortController();
  bench.time.set(50, () => scan.abort(reason));
  const reading = (async () => {
    for await (const record of db.scan({ signal: scan.signal })) record.text();
  })();
  expect(await bench.failureOf(reading)).toBeInstanceOf(AbortedError);
});

test('a deadline that passes tells what is known about the write', async () => {
  const { bench, db } = await start();
  await bench.run(db.put('a', '1'));
  for (const store of bench.cluster.stores.values()) store.script = () => 'ignore';
  const sent = await bench.failureOf(db.put('a', '2', { timeout: 200 }));
  expect(sent).toBeInstanceOf(DeadlineError);
  expect(sent).toMatchObject({ outcome: 'unknown', retry: 'backoff' });
  for (const store of bench.cluster.stores.values()) {
    store.script = () => ({ wait: BatchStatus.overloaded, ms: 50 });
  }
  expect(await bench.failureOf(db.put('b', '2', { timeout: 200 }))).toMatchObject({ outcome: 'not-applied' });
});

test('an answer that no caller can understand is a ProtocolError', async () => {
  const { bench, db } = await start();
  await bench.run(db.put('a', '1'));
  for (const store of bench.cluster.stores.values())
    store.script = () => ({ result: (out) => out.u8(Status.absent) });
  expect(await bench.failureOf(db.put('a', '2'))).toMatchObject({ code: 'FLOTILLA_PROTOCOL' });
});

test('after close everything fails with ClosedError, and nothing is left running', async () => {
  const { bench, db } = await start();
  const waiting = db.put('a', '1');
  await db.close();
  expect(await bench.failureOf(waiting)).toBeInstanceOf(ClosedError);
  expect(await bench.failureOf(db.get('a'))).toBeInstanceOf(ClosedError);
  bench.time.advance(60_000);
  expect(bench.time.waiting).toBe(0);
});

test('without a cluster connect rejects and names each endpoint', async () => {
  const bench = new Bench();
  for (const store of bench.cluster.stores.values()) store.stop();
  const error = await bench.failureOf(bench.connect());
  expect(error).toBeInstanceOf(UnavailableError);
  for (const name of ['s1.test:1', 's2.test:1', 's3.test:1']) expect(error.message).toContain(name);
});

test('endpoints come as a list or as an address', () => {
  expect(parseEndpoints('flotilla://a:1, b:2')).toEqual(['a:1', 'b:2']);
  expect(parseEndpoints(['a:1', '[::1]:2'])).toEqual(['a:1', '[::1]:2']);
  expect(() => parseEndpoints('')).toThrow('no endpoints');
  expect(() => parseEndpoints('flotilla://a')).toThrow('"a" is not an endpoint');
});

test('a switch over the code narrows the error', () => {
  const error: ConflictError | DeadlineError = new ConflictError('k', 0, 3);
  const narrow = (given: ConflictError | DeadlineError): number | string => {
    switch (given.code) {
      case 'FLOTILLA_CONFLICT':
        return given.actual;
      case 'FLOTILLA_DEADLINE':
        return given.outcome;
    }
  };
  expect(narrow(error)).toBe(3);
  expectTypeOf<Db['get']>().returns.resolves.toEqualTypeOf<KeyRecord | undefined>();
});
