import { Xxh64 } from '@flotilla/base';
import { type ClusterConfig, defaultPolicy, MovePhase, MoveStep, type ShardRecord } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { ConfigChecker } from './config-checker.ts';
import { MoveTally } from './move-tally.ts';
import { A, B, PaperGroups, SHARD } from './paper-groups.fixture.ts';

const group = (name: typeof A): ClusterConfig['controller'] => ({
  ...name,
  replicas: [{ raftId: 1, storeId: `s${name.gid}`, storeIncarnation: 'x' }],
  leaving: false,
});

const empty: ShardRecord = { owner: 0, epoch: 0, intent: undefined, pinned: false };

function configOf(number: number, shard: Partial<ShardRecord>, groups = [A, B]): ClusterConfig {
  return {
    number,
    cause: 'test',
    author: 'test',
    atMs: 0,
    shards: [empty, empty, empty, { ...empty, ...shard }],
    groups: groups.map(group),
    controller: group({ gid: 0, incarnation: 1 }),
    stores: [],
    policy: defaultPolicy,
  };
}

const intent = (moveId: number, target: number): ShardRecord['intent'] => ({
  moveId,
  target,
  phase: MovePhase.moving,
  paused: false,
  next: 0,
});

/** A checker that has seen the first assignment to group 1 and the order to move to group 2. */
function ordered(groups: PaperGroups): ConfigChecker {
  const checker = new ConfigChecker(groups.checker, new Xxh64());
  for (let number = 1; number < 10; number++) checker.decided(configOf(number, {}));
  checker.decided(configOf(10, { intent: intent(10, 1) }));
  for (let number = 11; number < 20; number++) checker.decided(configOf(number, { owner: 1, epoch: 1 }));
  checker.decided(configOf(20, { owner: 1, epoch: 1, intent: intent(20, 2) }));
  return checker;
}

test('a config follows what the groups decided', () => {
  const groups = new PaperGroups().moved();
  const early = new ConfigChecker(groups.checker, new Xxh64());
  // Group 1 does not serve the shard any more, so this history cannot be one of these logs.
  for (let number = 1; number < 10; number++) early.decided(configOf(number, {}));
  early.decided(configOf(10, { intent: intent(10, 1) }));
  expect(() => early.decided(configOf(11, { owner: 1, epoch: 1 }))).toThrow(
    'group 1 owns it at epoch 1, and',
  );
});

test('an owner changes only once the target serves', () => {
  const groups = new PaperGroups().copied();
  const checker = ordered(groups);
  expect(() => checker.decided(configOf(21, { owner: 2, epoch: 2 }))).toThrow(
    'group 2 owns it at epoch 2, and',
  );
});

test('a whole move leaves a done config', () => {
  const groups = new PaperGroups().copied();
  const checker = ordered(groups);
  const tally = new MoveTally();
  tally.changed(
    configOf(20, { owner: 1, epoch: 1, intent: intent(20, 2) }),
    configOf(19, { owner: 1, epoch: 1 }),
  );
  const leaves = { state: 'frozen', fence: 20, moveId: 20, timeFloor: 2_000 } as const;
  const freeze = { step: MoveStep.freeze, shard: SHARD, moveId: 20, epoch: 2, pos: 0, target: 2 } as const;
  groups.step(A, freeze, leaves);
  tally.storesHit(['s1']);
  tally.stepped(freeze, groups.factsOf(A));
  tally.storesHit(['s3']);
  groups.activate();
  checker.decided(configOf(21, { owner: 2, epoch: 2 }));
  tally.changed(
    configOf(21, { owner: 2, epoch: 2 }),
    configOf(20, { owner: 1, epoch: 1, intent: intent(20, 2) }),
  );
  // One fault came before the first step, the other met neither store.
  expect(tally.counts).toEqual({ begun: 1, done: 1, cancelled: 0, restarted: 0, hit: 0 });
});

test('an intent goes only when its source has closed it', () => {
  const groups = new PaperGroups().copied();
  const checker = ordered(groups);
  expect(() => checker.decided(configOf(21, { owner: 1, epoch: 1 }))).toThrow(
    'move 20 is withdrawn while group 1 is serving, fence 10',
  );
  const cancelled = new PaperGroups().copied();
  const calm = ordered(cancelled);
  const cancel = { step: MoveStep.cancel, shard: SHARD, moveId: 20 } as const;
  cancelled.step(A, cancel, { fence: 20, opened: undefined });
  calm.decided(configOf(21, { owner: 1, epoch: 1 }));
});

test('numbers have no gaps, epochs no jumps, and a group that holds content stays', () => {
  const groups = new PaperGroups().copied();
  expect(() => ordered(groups).decided(configOf(22, {}))).toThrow('it follows config 20');
  expect(() => ordered(groups).decided(configOf(21, { owner: 1, epoch: 2, intent: intent(20, 2) }))).toThrow(
    'epoch 1 becomes 2, owner 1 becomes 1',
  );
  const gone = configOf(21, { owner: 1, epoch: 1, intent: intent(20, 2) }, [B]);
  expect(() => ordered(groups).decided(gone)).toThrow('group 1.5 is gone, and shard 3 names it');
});

test('whoever holds a config holds the one of that number', () => {
  const groups = new PaperGroups().copied();
  const checker = ordered(groups);
  checker.held('s1', configOf(19, { owner: 1, epoch: 1 }));
  expect(() => checker.held('s1', configOf(19, { owner: 2, epoch: 1 }))).toThrow('s1 has another one');
  expect(() => checker.held('s1', configOf(21, {}))).toThrow('s1 has it, and the controller group does not');
});
