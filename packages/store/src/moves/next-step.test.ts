import { ShardState, type ShardStatus } from '@flotilla/kv';
import { limits } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { type MoveView, type NextStep, nextStep } from './next-step.ts';

const digests = { records: { hi: 1, lo: 2 }, rows: { hi: 3, lo: 4 } };
const facts = { revision: 90, time: 5, digests };
const start = new Uint8Array(0);
const middle = Uint8Array.of(1, 7);

function shard(fields: Partial<ShardStatus>): ShardStatus {
  return {
    ...{ shard: 4, state: ShardState.absent, fence: 0, hintGid: 0, hintEpoch: 0, moveId: 0, epoch: 0 },
    ...{ generation: 0, revision: 0, timeFloor: 0, recordCount: 0, recordBytes: 0, rowCount: 0 },
    ...{ openExport: undefined, staging: undefined },
    ...fields,
  };
}

function copying(pos: number, isComplete = false, moveId = 17): ShardStatus {
  const staging = {
    sourceGid: 1,
    sourceIncarnation: 1,
    cursor: isComplete ? start : middle,
    isComplete,
    pos,
  };
  return shard({ state: ShardState.importing, moveId, staging });
}

const base: MoveView = {
  ...{ moveId: 17, shard: undefined, isHeldBack: false, r0: undefined, frozen: undefined, freezeSent: false },
  ...{ isSourceUnsure: false, openBytes: undefined, isCatchingUp: false, isImporting: false },
  ...{ holdsLease: true, hasCommitted: true },
};
const small = limits.freezeBytes;
const large = limits.freezeBytes + 1;
const complete = copying(80, true);

const rows: readonly (readonly [string, Partial<MoveView>, Partial<NextStep>])[] = [
  // Before the copy
  ['nothing is known: ask the source', {}, { do: 'begin-export' }],
  ['the export is open: begin at its r0', { r0: 40 }, { do: 'begin-import', base: 40 }],
  ['the source is frozen: begin at the end', { r0: 40, frozen: facts }, { do: 'begin-import', base: 90 }],
  ['held back: nothing begins', { isHeldBack: true, r0: 40 }, { do: 'wait' }],
  [
    'held back after the freeze: nothing holds it up',
    { isHeldBack: true, r0: 40, frozen: facts },
    { do: 'begin-import', base: 90 },
  ],
  [
    'an older frozen copy is in the way: over it',
    { shard: shard({ state: ShardState.frozen, moveId: 9, fence: 9 }), r0: 40 },
    { do: 'begin-import', base: 40 },
  ],
  [
    'an older staging is in the way: over it',
    { shard: copying(5, false, 9), r0: 40 },
    { do: 'begin-import', base: 40 },
  ],
  ['a newer move copies already: stop', { shard: copying(5, false, 18), r0: 40 }, { do: 'stop' }],
  ['closed here: stop', { shard: shard({ fence: 17 }), r0: 40 }, { do: 'stop' }],
  [
    'frozen by this move or later: stop',
    { shard: shard({ state: ShardState.frozen, moveId: 21, fence: 21 }) },
    { do: 'stop' },
  ],
  [
    'served by this move',
    { shard: shard({ state: ShardState.serving, moveId: 17, fence: 17 }) },
    { do: 'served' },
  ],
  [
    'served by a later one: stop',
    { shard: shard({ state: ShardState.serving, moveId: 18, fence: 18 }) },
    { do: 'stop' },
  ],
  [
    'served by an older one: wait',
    { shard: shard({ state: ShardState.serving, moveId: 9, fence: 9 }) },
    { do: 'wait' },
  ],
  // Pages
  ['the copy goes on, whoever began it', { shard: copying(40) }, { do: 'page' }],
  ['much is open: changes first', { shard: copying(40), isCatchingUp: true }, { do: 'changes' }],
  [
    'the source is frozen: pages first',
    { shard: copying(40), isCatchingUp: true, frozen: facts },
    { do: 'page' },
  ],
  ['held back: only look', { shard: copying(40), isHeldBack: true }, { do: 'look' }],
  [
    'held back after a freeze was sent: go on',
    { shard: copying(40), isHeldBack: true, freezeSent: true },
    { do: 'page' },
  ],
  [
    'the index was trimmed beyond: begin again',
    { shard: copying(40), r0: 41 },
    { do: 'begin-import', base: 41 },
  ],
  ['trimmed up to here: go on', { shard: copying(40), r0: 40 }, { do: 'page' }],
  ['trimmed and held back: only look', { shard: copying(40), r0: 41, isHeldBack: true }, { do: 'look' }],
  [
    'trimmed and frozen: begin at the end',
    { shard: copying(40), r0: 41, frozen: facts },
    { do: 'begin-import', base: 90 },
  ],
  [
    'the source could not answer: ask its leader',
    { shard: copying(40), isSourceUnsure: true },
    { do: 'begin-export' },
  ],
  // Catching up
  ['all pages are there: changes', { shard: complete }, { do: 'changes' }],
  ['more is open than a freeze takes: changes', { shard: complete, openBytes: large }, { do: 'changes' }],
  ['little is open: freeze', { shard: complete, openBytes: small }, { do: 'freeze', pos: 80 }],
  [
    'little is open, but on its way: wait',
    { shard: complete, openBytes: small, isImporting: true },
    { do: 'wait' },
  ],
  ['without a lease: no freeze', { shard: complete, openBytes: small, holdsLease: false }, { do: 'wait' }],
  [
    'nothing was committed of late: prove it',
    { shard: complete, openBytes: small, hasCommitted: false },
    { do: 'prove' },
  ],
  ['held back: no freeze', { shard: complete, openBytes: small, isHeldBack: true }, { do: 'look' }],
  [
    'a freeze without answer: again, whatever is open',
    { shard: complete, openBytes: large, freezeSent: true },
    { do: 'freeze', pos: 80 },
  ],
  [
    'a freeze without answer, held back and without a lease: again',
    { shard: complete, isHeldBack: true, freezeSent: true, holdsLease: false },
    { do: 'freeze', pos: 80 },
  ],
  // Past the freeze
  ['frozen: the last changes', { shard: complete, frozen: facts }, { do: 'changes' }],
  ['frozen and all taken: activate', { shard: copying(90, true), frozen: facts }, { do: 'activate', facts }],
  [
    'frozen, all taken, held back: activate',
    { shard: copying(90, true), frozen: facts, isHeldBack: true },
    { do: 'activate', facts },
  ],
  [
    'frozen, the last on its way: wait',
    { shard: copying(90, true), frozen: facts, isImporting: true },
    { do: 'wait' },
  ],
  [
    'the digest did not fit: a copy of the frozen source',
    { shard: shard({}), frozen: facts, r0: 40 },
    { do: 'begin-import', base: 90 },
  ],
];

describe('the next step of a move', () => {
  test.each(rows)('%s', (_title, view, step) => {
    expect(nextStep({ ...base, ...view })).toMatchObject(step);
  });

  test('never freezes and never activates before all pages are there', () => {
    for (const isHeldBack of [true, false])
      for (const freezeSent of [true, false])
        for (const frozen of [undefined, facts])
          for (const openBytes of [undefined, 0, large]) {
            const view = { ...base, shard: copying(90), isHeldBack, freezeSent, frozen, openBytes };
            expect(['freeze', 'activate']).not.toContain(nextStep(view).do);
          }
  });

  test('activates only at the very revision at which the source froze', () => {
    for (const pos of [0, 89]) {
      expect(nextStep({ ...base, shard: copying(pos, true), frozen: facts }).do).toBe('changes');
    }
  });
});
