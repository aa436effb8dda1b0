import {
  type LogStoreHarness,
  logStoreContract,
  type StateStoreHarness,
  stateStoreContract,
} from '@flotilla/ports/contract';
import { openLog, openState, pause, temporaryDirectory } from './lmdb-harness.ts';

async function logHarness(cacheBytesMax?: number): Promise<LogStoreHarness> {
  const directory = temporaryDirectory();
  let store = openLog(directory.path, cacheBytesMax);
  return {
    get store() {
      return store;
    },
    advance: () => pause(),
    reopen: async () => {
      await store.close();
      store = openLog(directory.path, cacheBytesMax);
    },
    close: async () => {
      await store.close();
      directory.remove();
    },
  };
}

async function stateHarness(paceMs: number): Promise<StateStoreHarness> {
  const directory = temporaryDirectory();
  let store = openState(directory.path, paceMs);
  return {
    get store() {
      return store;
    },
    advance: () => pause(),
    reopen: async () => {
      await store.close();
      store = openState(directory.path, paceMs);
    },
    close: async () => {
      await store.close();
      directory.remove();
    },
  };
}

logStoreContract('LMDB', () => logHarness());
logStoreContract('LMDB without a cache, so that all durable entries are read from the disk', () =>
  logHarness(0),
);
stateStoreContract('LMDB', () => stateHarness(0));
stateStoreContract('LMDB with paced transactions', () => stateHarness(5));
