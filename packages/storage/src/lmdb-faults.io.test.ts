import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LmdbEnvironment } from './lmdb-environment.ts';
import { describeFlags } from './lmdb-flags.ts';
import { openLog, openState, type TemporaryDirectory, temporaryDirectory } from './lmdb-harness.ts';

/**
 * Faults on real files, in processes of their own. `ulimit -f` lets writes beyond a size fail as a disk error
 * would, without any help from the system.
 */

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const harness = JSON.stringify(join(import.meta.dirname, 'lmdb-harness.ts'));
const nodeArguments = ['--conditions=flotilla-source', '--input-type=module'];
const group = { gid: 1, incarnation: 1 };

const logWriter = `
  const { openLog } = await import(${harness});
  const store = openLog(process.argv[1]);
  const group = ${JSON.stringify(group)};
  const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const replica = { group, raftId: 1, generation: 1, start: { index: 0, term: 0, confState }, removed: false };
  store.commit([{ group, replica }], () => undefined);
  let index = 0;
  const commit = (bytes, done) => {
    const entry = { index: ++index, term: 1, kind: 0, data: new Uint8Array(bytes).fill(index) };
    const { index: mine } = entry;
    store.commit([{ group, entries: [entry], hardState: { term: 1, vote: 1, commit: mine } }], (failure) => done(failure, mine));
  };
`;

const stateWriter = `
  const { openState } = await import(${harness});
  const store = openState(process.argv[1]);
  let round = 0;
  const commit = (bytes, done) => {
    const mine = ++round;
    // Two keys that must never differ, and one that grows the file.
    for (const key of [[1], [2], [3, mine >> 8, mine & 255]])
      store.put(new Uint8Array(key), new Uint8Array(new Float64Array([mine, ...new Array(bytes >> 3).fill(0)]).buffer));
    store.commit((failure) => done(failure, mine));
  };
`;

const untilFailure = `
  let acked = 0;
  let failures = 0;
  const again = () => commit(20_000, (failure, mine) => {
    if (failure === undefined && failures > 0) console.log('an answer without failure after one with');
    if (failure === undefined) acked = mine;
    else failures++;
    if (failures < 6) again();
    else { console.log(JSON.stringify({ acked, failures, message: failure.message })); process.exit(70); }
  });
  again(); again(); again();
`;

function runUntilDiskFails(writer: string): { acked: number; message: string } {
  // Only the soft limit, in blocks of 1 KiB, and only for this child.
  const { stdout, status, stderr } = spawnSync(
    'bash',
    [
      '-c',
      'ulimit -f 3000; exec "$@"',
      'limited',
      process.execPath,
      ...nodeArguments,
      '-e',
      writer + untilFailure,
      directory.path,
    ],
    { encoding: 'utf8' },
  );
  expect(stderr, stdout).not.toContain('UnhandledPromiseRejection');
  expect(status, stderr).toBe(70);
  return JSON.parse(stdout) as { acked: number; message: string };
}

test('a failed log commit fails it and every later one; what was acknowledged is there afterwards (S1)', async () => {
  const { acked, message } = runUntilDiskFails(logWriter);
  expect(acked).toBeGreaterThan(20);
  expect(message).toMatch(/commit \d+ to .*log failed: Error: (File too large|Input\/output error)/);
  const store = openLog(directory.path);
  expect(store.damaged()).toEqual([]);
  const { last } = store.span(group);
  expect(last).toBe(acked);
  expect(store.entries(group, 1, last + 1, 1e9)).toHaveLength(last);
  expect(store.hardState(group)?.commit).toBe(last);
  await store.close();
});

test('a failed state commit fails it and every later one, and leaves no part of itself (S1)', async () => {
  const { acked } = runUntilDiskFails(stateWriter);
  expect(acked).toBeGreaterThan(10);
  const store = openState(directory.path);
  const round = (key: number[]): number | undefined => {
    const value = store.get(new Uint8Array(key));
    return value && new DataView(value.buffer, value.byteOffset).getFloat64(0, true);
  };
  expect(round([1])).toBe(acked);
  expect(round([2])).toBe(acked);
  await store.close();
});

test('acknowledged commits of log and state survive kill -9 under load', async () => {
  const script = `
    ${logWriter}
    const log = commit;
    const report = (what) => (failure, mine) => { process.stdout.write(what + mine + '\\n'); };
    const keep = (what, next) => () => next(700, (failure, mine) => { report(what)(failure, mine); keep(what, next)(); });
    {
      ${stateWriter.replaceAll('store', 'stateStore').replaceAll('openStateStore', 'openState')}
      for (let count = 0; count < 4; count++) { keep('L', log)(); keep('S', commit)(); }
    }
  `;
  let last = 0;
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, [...nodeArguments, '-e', script, directory.path], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    // The moment varies, counted from the first answer: a busy machine takes its time to start a process.
    const closed = once(child, 'close');
    await Promise.race([once(child.stdout, 'data'), closed]);
    setTimeout(() => child.kill('SIGKILL'), 150 + round * 130);
    await closed;
    expect(errors).toBe('');
    const acked = (what: string): number =>
      Math.max(
        0,
        ...output.split('\n').flatMap((line) => (line.startsWith(what) ? [Number(line.slice(1))] : [])),
      );
    expect(acked('L') + acked('S')).toBeGreaterThan(0);
    const store = openLog(directory.path);
    expect(store.damaged()).toEqual([]);
    last = store.span(group).last;
    expect(last).toBeGreaterThanOrEqual(acked('L'));
    expect(store.entries(group, 1, last + 1, 1e9).map((entry) => entry.data[0])).toEqual(
      Array.from({ length: last }, (_, at) => (at + 1) % 256),
    );
    await store.close();
    const state = openState(directory.path);
    const value = (key: number[]): number => {
      const bytes = state.get(new Uint8Array(key)) ?? new Uint8Array(8);
      return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
    };
    expect(value([1])).toBeGreaterThanOrEqual(acked('S'));
    expect(value([2])).toBe(value([1]));
    await state.close();
    directory.remove();
    directory = temporaryDirectory();
  }
});

test('the environment runs with exactly the flags of rule L1', async () => {
  const environment = new LmdbEnvironment(join(directory.path, 'flags'));
  expect(environment.flags().wrong).toEqual([]);
  await environment.close();
  expect(describeFlags(0x800 | 0x1000).wrong).toEqual(['overlappingSync']);
  expect(describeFlags(0).wrong).toEqual(['no safeRestore']);
  expect(describeFlags(0x800 | 0x10_0000 | 0x1_0000).wrong).toEqual(['noSync', 'mapAsync']);
});

test('a commit is not visible in the file before it is durable', async () => {
  // With overlappingSync readers see a commit before its sync; another environment object would notice.
  const store = openState(directory.path);
  store.put(new Uint8Array([1]), new Uint8Array([1]));
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    store.commit(() => {
      order.push('durable');
      resolve();
    });
    const snapshot = store.snapshot();
    order.push(snapshot?.get(new Uint8Array([1])) === undefined ? 'invisible' : 'visible');
    snapshot?.close();
  });
  expect(order).toEqual(['invisible', 'durable']);
  await store.close();
});

test('a process that must end does so in the middle of a state transaction, of which nothing is left', async () => {
  const script = `
    ${stateWriter}
    for (let at = 0; at < 60_000; at++)
      store.put(new Uint8Array([9, at >> 16, (at >> 8) & 255, at & 255]), new Uint8Array(8));
    store.commit(() => process.exit(1));
    let turns = 0;
    // Each state slice takes a turn: after some of them the transaction is open.
    const look = () => (process.listenerCount('exit') > 0 && ++turns > 3 ? process.exit(70) : setImmediate(look));
    look();
  `;
  const { status, stderr } = spawnSync(process.execPath, [...nodeArguments, '-e', script, directory.path], {
    encoding: 'utf8',
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  expect(status, stderr).toBe(70);
  const store = openState(directory.path);
  expect(store.get(new Uint8Array([9, 0, 0, 0]))).toBeUndefined();
  await store.close();
});
