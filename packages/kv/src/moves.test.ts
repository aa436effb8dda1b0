import { MoveAnswer, Status } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { ShardState } from './shard.ts';
import { Move } from './testing/move.ts';
import { Rig } from './testing/rig.ts';

test('a shard goes from one group to another while it is written', () => {
  const source = Rig.serving([0], { gid: 7 });
  const target = new Rig({ gid: 8 });
  for (let at = 0; at < 100; at++) source.put(`k${at}`, 'x'.repeat(10_000));
  const move = new Move(source, target);
  move.begin();
  move.takePage();
  source.put('k1', 'new');
  source.put('k99', 'new');
  source.run({ op: 2, key: new TextEncoder().encode('k2') });
  move.copy();
  expect(move.finish()).toEqual({ answer: MoveAnswer.active });
  expect(move.taken).toMatchObject({ state: ShardState.serving, epoch: 2, revision: 103, fence: 10 });
  expect(source.get('k1')).toEqual({ status: Status.moved, gid: 8, epoch: 2 });
});
