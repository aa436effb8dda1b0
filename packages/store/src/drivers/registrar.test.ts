import type { ClusterConfig, StoreRecord } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import type { InternalCommand } from '../admin/changes.ts';
import { Registrar } from './registrar.ts';

const self: StoreRecord = { storeId: 's1', incarnation: 'i', address: 'h:1', addressVersion: 7, zone: 'z' };

/** How often a store registers while the config knows it as `known`. */
function registrations(known: Partial<StoreRecord> | undefined): number {
  const commands: InternalCommand[] = [];
  const stores = known === undefined ? [] : [{ ...self, addressVersion: 3, ...known }];
  const registrar = new Registrar({
    self,
    config: () => ({ stores }) as unknown as ClusterConfig,
    now: () => 0,
    command: (command) => commands.push(command),
  });
  registrar.tick();
  return commands.length;
}

describe('a store registers', () => {
  test('when the config does not know it, or another life of it', () => {
    expect(registrations(undefined)).toBe(1);
    expect(registrations({ incarnation: 'other' })).toBe(1);
  });

  test('when it came up at another address or in another zone', () => {
    expect(registrations({ address: 'h:2' })).toBe(1);
    expect(registrations({ zone: 'y' })).toBe(1);
  });

  test('not when it came up where it was, so that a restart makes no config', () => {
    expect(registrations({})).toBe(0);
  });

  test('not against a newer record, which the controller would keep anyway', () => {
    expect(registrations({ address: 'h:2', addressVersion: 8 })).toBe(0);
  });
});
