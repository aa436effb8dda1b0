import { Writer } from '@flotilla/base';
import {
  beginEntry,
  blankCommand,
  EntryBody,
  makeSession,
  Op,
  writeBatchHead,
  writeCommand,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { WriteBatch } from './write-batch.ts';

function batchOf(ops: readonly Op[]): WriteBatch {
  const out = new Writer();
  beginEntry(out, EntryBody.clientBatch, ops.length);
  writeBatchHead(out, { session: makeSession(1, { u32: () => 7 }), floor: 1 });
  for (const op of ops)
    writeCommand(out, { ...blankCommand(), op, key: Uint8Array.of(1), value: new Uint8Array(0) });
  const nobody = undefined as never;
  return new WriteBatch(nobody, nobody, nobody, 1, out.finish());
}

test('a batch of deletes alone may pass while the disk is nearly full', () => {
  expect(batchOf([Op.delete]).spares()).toBe(true);
  expect(batchOf([Op.delete, Op.deleteRange, Op.delete]).spares()).toBe(true);
});

test('one write among the deletes of a batch keeps all of it out while the disk is nearly full', () => {
  for (const op of [Op.put, Op.append, Op.increment]) expect(batchOf([Op.delete, op]).spares()).toBe(false);
});
