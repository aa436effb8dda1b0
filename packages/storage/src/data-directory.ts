import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { assert, type StoreId, Xxh64 } from '@flotilla/base';
import type { DiskSpace, Hasher, Timers } from '@flotilla/ports';
import { DataLock } from './data-lock.ts';
import { refuseNetworkFileSystem, SampledDiskSpace } from './disk-space.ts';
import { DataDirectoryError } from './errors.ts';
import {
  decodeIdentity,
  encodeIdentity,
  type IdentityFile,
  readIdentity,
  STORAGE_FORMAT_VERSION,
  type StoreIdentity,
  writeIdentity,
} from './identity.ts';
import { roomFreeBytesMin } from './limits.ts';
import { LmdbEnvironment, type LmdbTable } from './lmdb-environment.ts';
import { LmdbLogStore } from './lmdb-log-store.ts';
import { LmdbStateStore } from './lmdb-state-store.ts';

export interface DirectoryExpectations {
  readonly storeId: StoreId;
  /** If the caller knows it already. */
  readonly clusterId?: string;
}

export interface DirectoryOptions {
  readonly timers: Timers;
  readonly hasher?: Hasher;
}

/** An open data directory. This process holds its lock until `close`. */
export interface DataDirectory {
  readonly path: string;
  /** Undefined for a blank directory, until `establish`. */
  readonly identity: StoreIdentity | undefined;
  /** Before the directory has an identity both stores are empty and take no commits. */
  readonly logStore: LmdbLogStore;
  readonly stateStore: LmdbStateStore;
  readonly disk: DiskSpace;
  /** Gives a blank directory its identity, once; it is durable when the promise resolves. */
  establish(identity: Omit<StoreIdentity, 'formatVersion'>): Promise<void>;
  /** Makes durable what was committed, closes all files and gives up the lock. */
  close(): Promise<void>;
}

const SENTINEL_KEY = new TextEncoder().encode('sentinel');

/**
 * Opens or creates the data directory of a store (rules L7 and L14). LMDB opens a zeroed or replaced file as an
 * empty database without a word, and a store that starts empty under its old name would vote twice. So the
 * identity stands in a file outside of LMDB and, as a sentinel, inside both environments: all three say the
 * same, or the directory is refused.
 */
export async function openDataDirectory(
  path: string,
  expectations: DirectoryExpectations,
  options: DirectoryOptions,
): Promise<DataDirectory> {
  prepareFolder(path);
  refuseNetworkFileSystem(path);
  const lock = await DataLock.take(path);
  const opened: LmdbEnvironment[] = [];
  try {
    const file = await readIdentity(path);
    if (file !== undefined) compare(path, file.identity, expectations);
    const log = openEnvironment(path, 'log', file, opened);
    const state = openEnvironment(path, 'state', file, opened);
    const directory = new OpenDirectory(path, lock, log, state, file?.identity, expectations, options);
    if (file?.state === 'establishing') await directory.finishEstablishing(file.identity);
    return directory;
  } catch (error) {
    for (const environment of opened) await environment.close();
    await lock.release();
    throw error;
  }
}

interface CheckedEnvironment {
  readonly environment: LmdbEnvironment;
  readonly meta: LmdbTable;
}

class OpenDirectory implements DataDirectory {
  readonly path: string;
  readonly logStore: LmdbLogStore;
  readonly stateStore: LmdbStateStore;
  readonly disk: SampledDiskSpace;
  identity: StoreIdentity | undefined;
  readonly #lock: DataLock;
  readonly #environments: readonly CheckedEnvironment[];
  readonly #expectations: DirectoryExpectations;
  #establishing = false;

  constructor(
    path: string,
    lock: DataLock,
    log: CheckedEnvironment,
    state: CheckedEnvironment,
    identity: StoreIdentity | undefined,
    expectations: DirectoryExpectations,
    options: DirectoryOptions,
  ) {
    this.path = path;
    this.identity = identity;
    this.#lock = lock;
    this.#environments = [log, state];
    this.#expectations = expectations;
    this.disk = new SampledDiskSpace(path);
    const storeOptions = {
      timers: options.timers,
      hasher: options.hasher ?? new Xxh64(),
      ready: () => this.identity !== undefined,
      mayGrow: () => this.disk.freeBytes() > roomFreeBytesMin,
    };
    this.logStore = new LmdbLogStore(log.environment, log.meta, storeOptions);
    this.stateStore = new LmdbStateStore(state.environment, state.meta, storeOptions);
  }

  async establish(given: Omit<StoreIdentity, 'formatVersion'>): Promise<void> {
    assert(this.identity === undefined && !this.#establishing, 'a data directory gets one identity, once');
    const { clusterId, storeId, incarnation } = given;
    const identity = { clusterId, storeId, incarnation, formatVersion: STORAGE_FORMAT_VERSION };
    compare(this.path, identity, this.#expectations);
    this.#establishing = true;
    await writeIdentity(this.path, { identity, state: 'establishing' });
    await this.finishEstablishing(identity);
  }

  /** Safe to repeat: a crash between the two identity files leaves some of the sentinels. */
  async finishEstablishing(identity: StoreIdentity): Promise<void> {
    const established: IdentityFile = { identity, state: 'established' };
    const sentinel = new TextEncoder().encode(encodeIdentity(established));
    for (const { environment, meta } of this.#environments) {
      const durable = await environment.batch(() => void meta.put(SENTINEL_KEY, sentinel));
      assert(durable, () => `${environment.path}: the sentinel was not stored`);
    }
    await writeIdentity(this.path, established);
    this.identity = identity;
  }

  async close(): Promise<void> {
    this.disk.close();
    try {
      await this.logStore.close();
    } finally {
      try {
        await this.stateStore.close();
      } finally {
        await this.#lock.release();
      }
    }
  }
}

function prepareFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if ((statSync(path).mode & 0o077) === 0) return;
  try {
    chmodSync(path, 0o700);
  } catch {
    // A mounted volume may belong to somebody else; who may enter it is then decided there.
  }
}

function compare(path: string, found: StoreIdentity, expected: DirectoryExpectations): void {
  if (found.storeId !== expected.storeId) {
    throw new DataDirectoryError(
      'other-store',
      `${path} belongs to store "${found.storeId}", not to "${expected.storeId}". Start it as ` +
        `"${found.storeId}", or give "${expected.storeId}" a directory of its own`,
      { directory: path, found: found.storeId, expected: expected.storeId },
    );
  }
  if (expected.clusterId !== undefined && found.clusterId !== expected.clusterId) {
    throw new DataDirectoryError(
      'other-cluster',
      `${path} belongs to cluster "${found.clusterId}", not to "${expected.clusterId}". Check the addresses to ` +
        'join and the directory; to use this store in the other cluster, give it a blank directory',
      { directory: path, found: found.clusterId, expected: expected.clusterId },
    );
  }
}

/** Opens one environment and makes sure that its sentinel and the identity file agree. */
function openEnvironment(
  path: string,
  name: string,
  file: IdentityFile | undefined,
  opened: LmdbEnvironment[],
): CheckedEnvironment {
  const where = join(path, name);
  const established = file?.state === 'established';
  if (established && !existsSync(join(where, 'data.mdb'))) throw noSentinel(where, file.identity);
  let environment: LmdbEnvironment;
  let meta: LmdbTable;
  try {
    environment = new LmdbEnvironment(where);
    opened.push(environment);
    meta = environment.table('meta');
  } catch (cause) {
    throw new DataDirectoryError(
      'unreadable',
      `${where} cannot be opened: ${String(cause)}. If the disk is damaged, move ${path} away: the store then ` +
        'comes back blank and its replicas are rebuilt from the others',
      { directory: path, environment: name },
      { cause },
    );
  }
  const stored = meta.get(SENTINEL_KEY);
  if (stored === undefined) {
    if (established) throw noSentinel(where, file.identity);
    const used = meta.getKeysCount({ start: new Uint8Array(1) }) > 0;
    if (used) throw noIdentity(path, where);
    return { environment, meta };
  }
  if (file === undefined) throw noIdentity(path, where);
  const sentinel = decodeIdentity(new TextDecoder().decode(stored));
  if (typeof sentinel === 'string') {
    throw new DataDirectoryError(
      'sentinel-damaged',
      `${where}: the mark that says whose data this is cannot be used: ${sentinel}. The disk changed it; move ` +
        `${path} away: the store then comes back blank and its replicas are rebuilt from the others`,
      { directory: path, environment: name },
    );
  }
  if (sentinel.identity.incarnation !== file.identity.incarnation) {
    throw new DataDirectoryError(
      'other-incarnation',
      `${where} holds data of incarnation ${sentinel.identity.incarnation}, but the identity file of ${path} ` +
        `says ${file.identity.incarnation}. Parts of two data directories were mixed: bring back the right ones`,
      {
        directory: path,
        environment: name,
        found: sentinel.identity.incarnation,
        expected: file.identity.incarnation,
      },
    );
  }
  return { environment, meta };
}

function noSentinel(where: string, identity: StoreIdentity): DataDirectoryError {
  return new DataDirectoryError(
    'sentinel-missing',
    `the directory belongs to store "${identity.storeId}", but ${where} is empty: its file was lost, zeroed or ` +
      'replaced. Starting like this could break promises that the store made. Restore the volume, or move the ' +
      'whole directory away: the store then comes back blank and its replicas are rebuilt from the others',
    { environment: where, storeId: identity.storeId, incarnation: identity.incarnation },
  );
}

function noIdentity(path: string, where: string): DataDirectoryError {
  return new DataDirectoryError(
    'identity-missing',
    `${where} holds data, but ${path} has no file identity.json that says whose. Restore the file from a copy ` +
      'of the volume, or move the whole directory away: the store then comes back blank and its replicas are ' +
      'rebuilt from the others',
    { directory: path, environment: where },
  );
}
