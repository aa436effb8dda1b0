import { DecodeError, EMPTY_BYTES } from '@flotilla/base';
import { expect, test } from 'vitest';
import {
  type ConfChange,
  decodeConfChange,
  encodeConfChange,
  entersJoint,
  isLeaveJoint,
  LEAVE_JOINT,
} from './conf-change.ts';

const changes: readonly ConfChange[] = [
  LEAVE_JOINT,
  { transition: 'auto', changes: [{ kind: 'add-voter', id: 7 }], context: EMPTY_BYTES },
  { transition: 'joint-implicit', changes: [], context: Uint8Array.of(1, 2, 3) },
  {
    transition: 'joint-explicit',
    changes: [
      { kind: 'add-learner', id: 2 ** 53 - 1 },
      { kind: 'remove', id: 1 },
      { kind: 'update', id: 3 },
    ],
    context: Uint8Array.of(0),
  },
  { transition: 'auto', changes: [], context: Uint8Array.of(9) },
];

test('every change reads back as it was written', () => {
  for (const change of changes) expect(decodeConfChange(encodeConfChange(change))).toEqual(change);
});

test('leaving a joint configuration takes no bytes', () => {
  expect(encodeConfChange(LEAVE_JOINT).length).toBe(0);
  expect(isLeaveJoint(decodeConfChange(EMPTY_BYTES))).toBe(true);
});

test('whatever else the bytes are, they are refused with a typed error', () => {
  const good = encodeConfChange(changes[3] as ConfChange);
  for (let length = 1; length < good.length; length++) {
    expect(() => decodeConfChange(good.subarray(0, length))).toThrow(DecodeError);
  }
  expect(() => decodeConfChange(Uint8Array.of(...good, 0))).toThrow(DecodeError);
  for (const [at, value] of [
    [0, 2],
    [1, 3],
    [4, 4],
  ] as const) {
    const bad = good.slice();
    bad[at] = value;
    expect(() => decodeConfChange(bad)).toThrow(DecodeError);
  }
});

test('a change of one member is simple unless it asks for joint consensus; several always go through it', () => {
  expect(changes.map(entersJoint)).toEqual([false, false, true, true, false]);
});
