import { VirtualTime } from '@flotilla/base';
import {
  type LogStoreHarness,
  logStoreContract,
  type StateStoreHarness,
  stateStoreContract,
} from '@flotilla/ports/contract';
import { MemoryLogStore } from './memory-log-store.ts';
import { MemoryStateStore } from './memory-state-store.ts';

function logHarness(delayMs: () => number): Promise<LogStoreHarness> {
  const timers = new VirtualTime();
  let store = new MemoryLogStore({ timers, delayMs });
  return Promise.resolve({
    get store() {
      return store;
    },
    advance: () => Promise.resolve(timers.advance(1)),
    reopen: async () => {
      store = store.crash();
    },
    close: () => Promise.resolve(),
  });
}

function stateHarness(delayMs: () => number): Promise<StateStoreHarness> {
  const timers = new VirtualTime();
  let store = new MemoryStateStore({ timers, delayMs });
  return Promise.resolve({
    get store() {
      return store;
    },
    advance: () => Promise.resolve(timers.advance(1)),
    reopen: async () => {
      store = store.crash();
    },
    close: () => Promise.resolve(),
  });
}

logStoreContract('memory, at once', () => logHarness(() => 0));
logStoreContract('memory, with a delay', () => logHarness(() => 3));
stateStoreContract('memory, at once', () => stateHarness(() => 0));
stateStoreContract('memory, with a delay', () => stateHarness(() => 3));
