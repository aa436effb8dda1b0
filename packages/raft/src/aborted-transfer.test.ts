import { EMPTY_BYTES } from '@flotilla/base';
import { expect, test } from 'vitest';
import { confOf, TestCluster } from './test-cluster.ts';

test('the way out of a joint configuration is taken when the transfer that stood in its way is called off (thesis 4.3)', () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  leader.proposeConfChange({
    transition: 'joint-implicit',
    changes: [{ kind: 'add-learner', id: 4 }],
    context: EMPTY_BYTES,
  });
  leader.transferLeader(3);
  cluster.settle();
  expect([leader.transferee, leader.confState.autoLeave]).toEqual([3, true]);
  leader.transferLeader(1);
  cluster.settle();
  expect(leader.transferee).toBe(0);
  expect(leader.confState).toEqual(confOf([1, 2, 3], [4]));
});
