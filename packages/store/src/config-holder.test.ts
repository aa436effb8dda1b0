import type { StateStore } from '@flotilla/ports';
import { type ClusterConfig, defaultPolicy } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { ConfigHolder } from './config-holder.ts';

function configOf(number: number): ClusterConfig {
  const controller = { gid: 0, incarnation: 1, replicas: [], leaving: false };
  const rest = { shards: [], groups: [], stores: [], policy: defaultPolicy };
  return { number, cause: 'test', author: 'test', atMs: 0, controller, ...rest };
}

/** Remembers what it was asked to do. */
function paperStore(): { store: StateStore; calls: string[]; ended: ((failure?: Error) => void)[] } {
  const calls: string[] = [];
  const ended: ((failure?: Error) => void)[] = [];
  const store = {
    put: () => void calls.push('put'),
    commit: (done: (failure?: Error) => void) => {
      calls.push('commit');
      ended.push(done);
    },
  };
  return { store: store as unknown as StateStore, calls, ended };
}

test('a config ends the transaction that it opens, also on a store where nothing else happens', () => {
  const { store, calls } = paperStore();
  const holder = new ConfigHolder(store, () => {});
  const told: number[] = [];
  holder.onChange(({ config }) => told.push(config.number));
  holder.offer(configOf(3));
  holder.offer(configOf(2));
  expect(calls).toEqual(['put', 'commit']);
  expect(told).toEqual([3]);
});

test('a config that cannot be stored ends the process', () => {
  const { store, ended } = paperStore();
  const failures: string[] = [];
  const holder = new ConfigHolder(store, (cause) => failures.push(cause.message));
  holder.offer(configOf(1));
  ended[0]?.();
  expect(failures).toEqual([]);
  ended[0]?.(new Error('no space'));
  expect(failures).toEqual(['no space']);
});
