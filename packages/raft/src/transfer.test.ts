import { EMPTY_BYTES, MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { isTransferCampaign } from './messages.ts';
import { messageOf, TestCluster } from './test-cluster.ts';

function leaders(cluster: TestCluster): number[] {
  return [...cluster.members.values()].filter(({ node }) => node.role === 'leader').map(({ id }) => id);
}

describe('leadership transfer (thesis 3.10)', () => {
  test('to a member that is up to date happens at once, past lease and pre-vote', () => {
    const cluster = new TestCluster(3, { config: { preVote: true, checkQuorum: true } });
    cluster.elect(1);
    cluster.tick(1);
    cluster.settle();
    const kinds: number[] = [];
    let marked = 0;
    cluster.drop = (message) => {
      kinds.push(message.kind);
      if (isTransferCampaign(message)) marked++;
      return false;
    };
    cluster.node(1).transferLeader(3);
    cluster.settle();
    expect([leaders(cluster), cluster.node(3).term]).toEqual([[3], 2]);
    expect(kinds).not.toContain(MessageKind.preVote);
    expect(marked).toBe(2);
  });

  test('a follower passes the wish on to the leader', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.node(2).transferLeader(3);
    cluster.settle();
    expect(leaders(cluster)).toEqual([3]);
  });

  test('a target that is behind is caught up first, also by a snapshot', () => {
    for (const compact of [false, true]) {
      const cluster = new TestCluster(3);
      cluster.elect(1);
      cluster.isolate(3);
      cluster.propose(1, 'a', 'b');
      cluster.settle();
      if (compact) cluster.member(1).compact();
      cluster.node(1).transferLeader(3);
      cluster.settle();
      expect([leaders(cluster), cluster.node(1).transferee]).toEqual([[1], 3]);
      cluster.heal();
      cluster.tick(1);
      cluster.settle();
      if (compact) {
        cluster.node(1).reportSnapshot(3, true);
        cluster.tick(1);
        cluster.settle();
      }
      expect(leaders(cluster)).toEqual([3]);
      expect(cluster.member(3).state.digest).toBe(cluster.member(1).state.digest);
    }
  });

  test('the order goes out with the acknowledgement of the last entry, with none before it', () => {
    const cluster = new TestCluster(3, { config: { messageBytesMax: 1 } });
    const leader = cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, 'a', 'b');
    cluster.settle();
    leader.transferLeader(3);
    const orders = (index: number): number => {
      leader.step(messageOf({ kind: MessageKind.appResp, from: 3, to: 1, term: 1, index }));
      return leader.ready().messages.filter(({ kind }) => kind === MessageKind.timeoutNow).length;
    };
    leader.ready();
    leader.advance();
    expect(orders(2)).toBe(0);
    leader.advance();
    expect(orders(3)).toBe(1);
  });

  test('nothing that was accepted is lost by it, and the former leader can get it back', () => {
    const cluster = new TestCluster(7, { config: { preVote: true, checkQuorum: true } });
    cluster.elect(1);
    const texts: string[] = [];
    for (const [from, to] of [
      [1, 4],
      [4, 7],
      [7, 1],
    ] as const) {
      for (let count = 0; count < 5; count++) {
        texts.push(`${from} ${count}`);
        expect(cluster.propose(from, `${from} ${count}`).accepted).toBe(true);
      }
      cluster.node(from).transferLeader(to);
      cluster.settle();
      expect(leaders(cluster)).toEqual([to]);
    }
    for (const member of cluster.members.values()) expect(member.appliedTexts()).toEqual(texts);
  });

  test('an order of an earlier term, or to a member that may not campaign, starts no election', () => {
    const cluster = new TestCluster(4, { learners: [4] });
    cluster.elect(1);
    cluster.elect(2);
    const order = { kind: MessageKind.timeoutNow, from: 1, term: 1 };
    cluster.node(3).step(messageOf({ ...order, to: 3 }));
    cluster.node(4).step(messageOf({ ...order, to: 4, term: 2, from: 2 }));
    cluster.settle();
    expect([leaders(cluster), cluster.node(2).term]).toEqual([[2], 2]);
  });

  test('a target that was removed is forgotten by everybody: the wish does nothing', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    const change = { kind: 'remove', id: 3 } as const;
    leader.proposeConfChange({ transition: 'auto', changes: [change], context: EMPTY_BYTES });
    cluster.settle();
    for (const id of [1, 2]) cluster.node(id).transferLeader(3);
    cluster.settle();
    expect([leaders(cluster), leader.transferee]).toEqual([[1], 0]);
  });

  test('proposals are refused meanwhile, and taken again after one election timeout', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    cluster.isolate(3);
    leader.transferLeader(3);
    expect(cluster.propose(1, 'x')).toEqual({ accepted: false, reason: 'transferring', leader: 1 });
    cluster.tick(1, 9);
    expect(cluster.propose(1, 'x').accepted).toBe(false);
    cluster.tick(1);
    expect(leader.transferee).toBe(0);
    expect(cluster.propose(1, 'x').accepted).toBe(true);
  });

  test('the time of a transfer begins with it', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    cluster.isolate(3);
    cluster.tick(1, 9);
    leader.transferLeader(3);
    cluster.tick(1, 9);
    expect(leader.transferee).toBe(3);
  });

  test('a second transfer replaces the first, the same one again changes nothing', () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    cluster.isolate(2);
    cluster.isolate(3);
    leader.transferLeader(3);
    cluster.tick(1, 5);
    leader.transferLeader(3);
    expect(leader.electionElapsed).toBe(5);
    leader.transferLeader(2);
    expect([leader.transferee, leader.electionElapsed]).toEqual([2, 0]);
    leader.transferLeader(1);
    expect(leader.transferee).toBe(0);
  });

  test('to itself, to a learner and to strangers does nothing', () => {
    const cluster = new TestCluster(4, { learners: [4] });
    const leader = cluster.elect(1);
    for (const target of [1, 4, 9]) {
      leader.transferLeader(target);
      expect([leader.transferee, leader.hasReady()]).toEqual([0, false]);
    }
  });

  test('ends when the target is removed or made a learner, and with the leadership', () => {
    for (const kind of ['remove', 'add-learner'] as const) {
      const cluster = new TestCluster(4);
      const leader = cluster.elect(1);
      leader.proposeConfChange({ transition: 'auto', changes: [{ kind, id: 4 }], context: EMPTY_BYTES });
      cluster.isolate(4);
      leader.transferLeader(4);
      cluster.settle();
      expect([leader.role, leader.transferee]).toEqual(['leader', 0]);
    }
    const cluster = new TestCluster(3);
    const leader = cluster.elect(1);
    cluster.isolate(3);
    leader.transferLeader(3);
    leader.step(messageOf({ kind: MessageKind.vote, from: 2, to: 1, term: 9, logTerm: 9, index: 9 }));
    expect([leader.role, leader.transferee]).toEqual(['follower', 0]);
  });

  test('a candidate ignores the order to take over', () => {
    const cluster = new TestCluster(3);
    cluster.isolate(1);
    const node = cluster.node(1);
    node.campaign();
    node.step(messageOf({ kind: MessageKind.timeoutNow, from: 2, to: 1, term: 1 }));
    expect(node.term).toBe(1);
  });
});
