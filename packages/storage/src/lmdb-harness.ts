import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Xxh64 } from '@flotilla/base';
import type { Timers } from '@flotilla/ports';
import { LmdbEnvironment } from './lmdb-environment.ts';
import { LmdbLogStore } from './lmdb-log-store.ts';
import { LmdbStateStore } from './lmdb-state-store.ts';

/** Helpers of the tests that use real files. Not exported by the package. */

const handles = new Map<number, NodeJS.Timeout>();
let lastTimer = 0;

export const realTimers: Timers = {
  set(delayMs, callback) {
    const id = ++lastTimer;
    const handle = setTimeout(() => {
      handles.delete(id);
      callback();
    }, delayMs);
    handles.set(id, handle.unref());
    return id;
  },
  clear(id) {
    clearTimeout(handles.get(id));
    handles.delete(id);
  },
  soon(callback) {
    setImmediate(callback);
  },
};

export interface TemporaryDirectory {
  readonly path: string;
  remove(): void;
}

export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), 'flotilla-storage-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function openLog(path: string, cacheBytesMax?: number): LmdbLogStore {
  const environment = new LmdbEnvironment(join(path, 'log'));
  const options = { timers: realTimers, hasher: new Xxh64() };
  return new LmdbLogStore(
    environment,
    environment.table('meta'),
    cacheBytesMax === undefined ? options : { ...options, cacheBytesMax },
  );
}

export function openState(path: string, paceMs = 0): LmdbStateStore {
  const environment = new LmdbEnvironment(join(path, 'state'));
  const options = { timers: realTimers, hasher: new Xxh64(), paceMs };
  return new LmdbStateStore(environment, environment.table('meta'), options);
}

export function pause(ms = 1): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
