import { VirtualTime } from '@flotilla/base';
import { networkContract } from '@flotilla/ports/contract';
import { MemoryNetworkHub } from './memory-network.ts';

networkContract('the memory network', () => {
  const time = new VirtualTime();
  const hub = new MemoryNetworkHub({ timers: time, policy: { route: () => 1 } });
  let names = 0;
  return {
    network: (node) => hub.network(`${node}${++names}`),
    anyAddress: 'memory:0',
    deadAddress: 'memory:1',
    until: async (condition) => {
      while (!condition()) if (!time.runNext()) throw new Error('nothing is left that could happen');
    },
    settle: async () => time.advance(60_000),
    close: async () => {},
  };
});
