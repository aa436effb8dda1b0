import { UsageError } from '@flotilla/base';
import { expect, test } from 'vitest';
import { checkConfig, type RaftConfig } from './config.ts';
import { MemoryStorage } from './memory-storage.ts';
import { TEST_CONFIG } from './test-cluster.ts';

const config: RaftConfig = {
  ...TEST_CONFIG,
  id: 1,
  storage: new MemoryStorage(),
  applied: 0,
  random: () => 0,
  inflightBytesMax: 100,
  messageBytesMax: 100,
};

test('settings that make sense together pass', () => {
  expect(() => checkConfig(config)).not.toThrow();
});

test.each<Partial<RaftConfig>>([
  { id: 0 },
  { id: -1 },
  { id: 1.5 },
  { heartbeatTicks: 0 },
  { heartbeatTicks: Number.NaN },
  { electionTicks: 1 },
  { inflightMessagesMax: 0 },
  { messageBytesMax: -1 },
  { inflightBytesMax: 0, messageBytesMax: 0 },
  { inflightBytesMax: 99 },
  { committedBytesPerReadyMax: 0 },
  { uncommittedBytesMax: 0 },
  { readOnly: 'lease-based', checkQuorum: false },
])('%o is refused', (wrong) => {
  expect(() => checkConfig({ ...config, ...wrong })).toThrow(UsageError);
});
