import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DataDirectory, type DirectoryExpectations, openDataDirectory } from './data-directory.ts';
import { networkFileSystem, refuseNetworkFileSystem } from './disk-space.ts';
import { DataDirectoryError } from './errors.ts';
import { writeIdentity } from './identity.ts';
import { realTimers, type TemporaryDirectory, temporaryDirectory } from './lmdb-harness.ts';

const identity = { clusterId: 'c-1', storeId: 's1', incarnation: 'aa01' };
const group = { gid: 1, incarnation: 1 };
const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const replica = { group, raftId: 1, generation: 1, start: { index: 0, term: 0, confState }, removed: false };

let temporary: TemporaryDirectory;
let path: string;
beforeEach(() => {
  temporary = temporaryDirectory();
  path = join(temporary.path, 'data');
});
afterEach(() => temporary.remove());

const open = (expectations: Partial<DirectoryExpectations> = {}): Promise<DataDirectory> =>
  openDataDirectory(path, { storeId: 's1', ...expectations }, { timers: realTimers });

async function problem(opening: Promise<DataDirectory>): Promise<DataDirectoryError> {
  try {
    await (await opening).close();
  } catch (error) {
    expect(error).toBeInstanceOf(DataDirectoryError);
    return error as DataDirectoryError;
  }
  throw new Error('the directory was opened');
}

async function established(): Promise<void> {
  const directory = await open();
  await directory.establish(identity);
  await new Promise((resolve) => directory.logStore.commit([{ group, replica }], resolve));
  directory.stateStore.put(new Uint8Array([1]), new Uint8Array([2]));
  await new Promise<unknown>((resolve) => directory.stateStore.commit(resolve));
  await directory.close();
}

test('a blank directory has no identity and takes no commits until it is established', async () => {
  const directory = await open();
  expect(directory.identity).toBeUndefined();
  expect(directory.logStore.replicas()).toEqual([]);
  expect(() => directory.logStore.commit([{ group, replica }], () => undefined)).toThrow(/identity/);
  expect(() => directory.stateStore.commit(() => undefined)).toThrow(/identity/);
  await directory.establish(identity);
  expect(directory.identity).toMatchObject(identity);
  await directory.close();
});

test('a blank directory that was opened and left is still blank', async () => {
  await (await open()).close();
  const directory = await open();
  expect(directory.identity).toBeUndefined();
  await directory.close();
});

test('an established directory comes back with its identity and its data', async () => {
  await established();
  const directory = await open({ clusterId: 'c-1' });
  expect(directory.identity).toMatchObject(identity);
  expect(directory.logStore.replicas()).toEqual([replica]);
  expect(directory.stateStore.get(new Uint8Array([1]))).toEqual(new Uint8Array([2]));
  await directory.close();
});

test('only the owner may enter the directory', async () => {
  await established();
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test('the directory of another store or cluster is refused, naming both', async () => {
  await established();
  const store = await problem(open({ storeId: 's2' }));
  expect(store.problem).toBe('other-store');
  expect(store.message).toMatch(/"s1".*"s2"/);
  const cluster = await problem(open({ clusterId: 'c-2' }));
  expect(cluster.problem).toBe('other-cluster');
  expect(cluster.message).toMatch(/"c-1".*"c-2"/);
  await (await open()).close();
});

test('a store may not establish the identity of another one', async () => {
  const directory = await open({ clusterId: 'c-9' });
  await expect(directory.establish(identity)).rejects.toThrow(/"c-1".*"c-9"/);
  await directory.close();
});

test.each(['log', 'state'])(
  'an identity whose %s environment was lost is refused, and stays refused (S10)',
  async (name) => {
    await established();
    rmSync(join(path, name), { recursive: true });
    expect((await problem(open())).problem).toBe('sentinel-missing');
    expect((await problem(open())).problem).toBe('sentinel-missing');
  },
);

test.each(['log', 'state'])('an identity whose %s environment is blank is refused (S10)', async (name) => {
  await established();
  const other = temporaryDirectory();
  const blank = await openDataDirectory(other.path, { storeId: 's1' }, { timers: realTimers });
  await blank.close();
  writeFileSync(join(path, name, 'data.mdb'), readFileSync(join(other.path, name, 'data.mdb')));
  const error = await problem(open());
  expect(error.problem).toBe('sentinel-missing');
  expect(error.message).toMatch(/lost, zeroed or replaced/);
  other.remove();
});

test('data without an identity is refused', async () => {
  await established();
  rmSync(join(path, 'identity.json'));
  expect((await problem(open())).problem).toBe('identity-missing');
});

test('environments of two incarnations are never mixed', async () => {
  await established();
  await writeIdentity(path, {
    identity: { ...identity, incarnation: 'bb02', formatVersion: 1 },
    state: 'established',
  });
  const error = await problem(open());
  expect(error.problem).toBe('other-incarnation');
  expect(error.message).toMatch(/aa01.*bb02/);
});

test('an identity file that is cut or changed is refused with a clear error', async () => {
  await established();
  const file = join(path, 'identity.json');
  const text = readFileSync(file, 'utf8');
  for (let length = 0; length < text.length - 1; length += 17) {
    writeFileSync(file, text.slice(0, length));
    expect((await problem(open())).problem).toBe('identity-damaged');
  }
  writeFileSync(file, text.replace('aa01', 'aa02'));
  const error = await problem(open());
  expect(error.problem).toBe('identity-damaged');
  expect(error.message).toContain(file);
});

test('a newer storage format is refused and not touched', async () => {
  await established();
  await writeIdentity(path, { identity: { ...identity, formatVersion: 2 }, state: 'established' });
  const error = await problem(open());
  expect(error.problem).toBe('newer-format');
});

test('a crash while the identity was being established is finished by the next start', async () => {
  await (await open()).close();
  await writeIdentity(path, { identity: { ...identity, formatVersion: 1 }, state: 'establishing' });
  const directory = await open();
  expect(directory.identity).toMatchObject(identity);
  await directory.close();
  const again = await open();
  expect(again.identity).toMatchObject(identity);
  await again.close();
});

test('a second opening is refused while the first one lasts, and not any longer', async () => {
  const first = await open();
  const error = await problem(open());
  expect(error.problem).toBe('in-use');
  expect(error.message).toContain(`already in use by pid ${process.pid}`);
  await first.close();
  await (await open()).close();
});

test('the lock of a process that was killed is gone with it', async () => {
  const script = `
    const { DataLock } = await import(${JSON.stringify(join(import.meta.dirname, 'data-lock.ts'))});
    await DataLock.take(process.argv[1]);
    console.log('locked');
    setInterval(() => undefined, 1000);
  `;
  await (await open()).close();
  const child = spawn(
    process.execPath,
    ['--conditions=flotilla-source', '--input-type=module', '-e', script, path],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  expect((await problem(open())).message).toContain(`already in use by pid ${child.pid}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await (await open()).close();
});

test('network file systems are refused by name', () => {
  expect(networkFileSystem(0x6969)).toBe('NFS');
  expect(networkFileSystem(0xef53)).toBeUndefined();
  expect(() => refuseNetworkFileSystem('/data', 0xff534d42)).toThrow(/CIFS.*local disk/s);
});

test('disk space is known from the first moment on', async () => {
  const directory = await open();
  expect(directory.disk.totalBytes()).toBeGreaterThan(directory.disk.freeBytes());
  expect(directory.disk.freeBytes()).toBeGreaterThan(0);
  await directory.close();
});
