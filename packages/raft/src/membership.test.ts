import { assert, type ConfState, Prng } from '@flotilla/base';
import { expect, test } from 'vitest';
import type { ConfChangeSingle } from './conf-change.ts';
import {
  changeSimply,
  confStateProblem,
  enterJoint,
  leaveJoint,
  type MembershipChange,
  membersOf,
} from './membership.ts';
import { jointIndex } from './quorum.ts';
import { confOf } from './test-cluster.ts';

const add = (id: number): ConfChangeSingle => ({ kind: 'add-voter', id });
const learn = (id: number): ConfChangeSingle => ({ kind: 'add-learner', id });
const remove = (id: number): ConfChangeSingle => ({ kind: 'remove', id });

function confAfter(change: MembershipChange): ConfState {
  assert(change.ok, 'the change is accepted');
  return change.conf;
}

test('a demoted voter waits until the joint configuration is left (thesis 4.3)', () => {
  const joint = confAfter(enterJoint(confOf([1, 2, 3]), true, [learn(3), add(4)]));
  expect(joint).toEqual({
    voters: [1, 2, 4],
    votersOutgoing: [1, 2, 3],
    learners: [],
    learnersNext: [3],
    autoLeave: true,
  });
  expect(confAfter(leaveJoint(joint))).toEqual(confOf([1, 2, 4], [3]));
});

test('a member that is removed and added in one simple change is a new one', () => {
  const change = changeSimply(confOf([1, 2]), [remove(2), add(2)]);
  expect(change).toEqual({ ok: true, conf: confOf([1, 2]), fresh: [2] });
  const joint = enterJoint(confOf([1, 2]), false, [remove(2), add(2)]);
  expect(joint).toMatchObject({ ok: true, fresh: [] });
});

test('a refused change names its reason and leaves nothing behind', () => {
  const conf = confOf([1, 2, 3]);
  expect(changeSimply(conf, [add(4), add(5)])).toEqual({
    ok: false,
    reason: 'more than one voter changed without entering joint config',
  });
  expect(changeSimply(confOf([1]), [remove(1)])).toEqual({ ok: false, reason: 'removed all voters' });
  expect(conf).toEqual(confOf([1, 2, 3]));
});

test('a configuration from outside is checked before anybody relies on it', () => {
  expect(confStateProblem(confOf([1, 2], [3]))).toBeUndefined();
  expect(confStateProblem(confOf([2, 1]))).toContain('ascending');
  expect(confStateProblem(confOf([0, 1]))).toContain('raft id');
  expect(confStateProblem(confOf([1, 2], [2]))).toContain('learner and a voter');
  expect(confStateProblem({ ...confOf([1]), autoLeave: true })).toContain('auto-leave');
  expect(confStateProblem({ ...confOf([1]), learnersNext: [1] })).toContain('outgoing');
  expect(confStateProblem({ ...confOf([]), votersOutgoing: [1] })).toContain('incoming');
});

test('one joint change ends where the same operations one by one end', () => {
  const prng = new Prng(5);
  let compared = 0;
  for (let round = 0; round < 1_500; round++) {
    const start = confOf([1, 2, 3], [4]);
    const operations = Array.from({ length: 1 + prng.below(5) }, (): ConfChangeSingle => {
      const kind = (['add-voter', 'add-learner', 'remove'] as const)[prng.below(3)] as 'remove';
      return { kind, id: 1 + prng.below(7) };
    });
    const joint = enterJoint(start, false, operations);
    let simple: ConfState | undefined = start;
    for (const operation of operations) {
      const change: MembershipChange | undefined = simple && changeSimply(simple, [operation]);
      simple = change?.ok ? change.conf : undefined;
    }
    if (!joint.ok || simple === undefined) continue;
    compared++;
    expect(confAfter(leaveJoint(joint.conf))).toEqual(simple);
  }
  expect(compared).toBeGreaterThan(500);
});

test('neighbouring configurations never decide without a common member (thesis 4.1, 4.3)', () => {
  const prng = new Prng(9);
  const wins = (conf: ConfState, yes: ReadonlySet<number>): boolean =>
    jointIndex(conf.voters, conf.votersOutgoing, (id) => (yes.has(id) ? 1 : 0)) >= 1;
  let conf = confOf([1, 2, 3]);
  for (let round = 0; round < 3_000; round++) {
    const operations = Array.from({ length: 1 + prng.below(3) }, (): ConfChangeSingle => {
      const kind = (['add-voter', 'add-learner', 'remove'] as const)[prng.below(3)] as 'remove';
      return { kind, id: 1 + prng.below(6) };
    });
    const change =
      conf.votersOutgoing.length > 0
        ? leaveJoint(conf)
        : prng.chance(0.5)
          ? changeSimply(conf, operations)
          : enterJoint(conf, false, operations);
    if (!change.ok) continue;
    const next = change.conf;
    const ids = [...new Set([...membersOf(conf), ...membersOf(next)])];
    for (let split = 0; split < 1 << ids.length; split++) {
      const left = new Set(ids.filter((_, at) => (split & (1 << at)) !== 0));
      const right = new Set(ids.filter((id) => !left.has(id)));
      expect(wins(conf, left) && wins(next, right)).toBe(false);
    }
    conf = next;
  }
});
