import { Op, Status } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { bytes, Rig } from './testing/rig.ts';

test('the first write of a shard gets version 1', () => {
  const rig = Rig.serving();
  expect(rig.put('a', 'one')).toMatchObject({ status: Status.ok, version: 1 });
  expect(rig.get('a')).toEqual({ status: Status.record, version: 1, createVersion: 1, value: bytes('one') });
  expect(rig.put('a', 'two')).toMatchObject({ version: 2 });
  expect(rig.get('a')).toMatchObject({ version: 2, createVersion: 1 });
  expect(rig.run({ op: Op.delete, key: bytes('a') })).toMatchObject({ status: Status.ok, version: 3 });
  expect(rig.get('a')).toEqual({ status: Status.absent });
  rig.restart();
  expect(rig.get('a')).toEqual({ status: Status.absent });
  expect(rig.put('a', 'x')).toMatchObject({ version: 4 });
});
