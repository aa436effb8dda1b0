import { type Message, MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { MemoryStorage } from './memory-storage.ts';
import { entryBytes } from './storage.ts';
import { bytesOf, confOf, entryOf, messageOf, TestCluster, TestMember } from './test-cluster.ts';

/** A follower 1 of leader 2, with log terms as given. */
function follower(terms: readonly number[], term: number, commit = 0): TestMember {
  const storage = new MemoryStorage();
  storage.setConfState(confOf([1, 2, 3]));
  storage.append(terms.map((entryTerm, at) => entryOf(at + 1, entryTerm)));
  storage.setHardState({ term, vote: 0, commit });
  return new TestMember(1, storage, {});
}

function append(member: TestMember, fields: Partial<Message>): Message | undefined {
  member.node.step(messageOf({ kind: MessageKind.app, from: 2, to: 1, term: member.node.term, ...fields }));
  const ready = member.node.ready();
  member.persist(ready.hardState, ready.snapshot, ready.entries);
  member.apply(ready.committedEntries);
  member.node.advance();
  return ready.messages[0];
}

const logTerms = (member: TestMember): number[] => member.storage.all().map(({ term }) => term);

describe('a follower takes entries (paper 5.3)', () => {
  test('an append that is contained already truncates nothing and acknowledges only itself', () => {
    const member = follower([1, 1, 1], 1);
    const answer = append(member, { index: 0, logTerm: 0, entries: [entryOf(1, 1)] });
    expect(logTerms(member)).toEqual([1, 1, 1]);
    expect([answer?.reject, answer?.index]).toEqual([false, 1]);
  });

  test('it commits at most what the append has verified, whatever the leader has committed', () => {
    const member = follower([1, 1, 1, 1], 2);
    append(member, { index: 1, logTerm: 1, entries: [entryOf(2, 1)], commit: 4 });
    expect(member.node.commitIndex).toBe(2);
    append(member, { index: 3, logTerm: 1, commit: 4 });
    expect(member.node.commitIndex).toBe(3);
  });

  test('a conflicting entry goes, with all behind it', () => {
    const member = follower([1, 1, 1, 1], 2);
    const answer = append(member, { index: 1, logTerm: 1, entries: [entryOf(2, 1), entryOf(3, 2)] });
    expect(logTerms(member)).toEqual([1, 1, 2]);
    expect(answer?.index).toBe(3);
  });

  test('a message about a part that is committed is answered with the commit index', () => {
    const member = follower([1, 1, 1, 1], 1, 3);
    const answer = append(member, { index: 1, logTerm: 1, entries: [entryOf(2, 9)].slice(1) });
    expect([answer?.reject, answer?.index]).toEqual([false, 3]);
  });

  test('a refusal hints at the last index where the logs may agree', () => {
    const member = follower([1, 1, 3, 3, 3], 4);
    const behind = append(member, { index: 9, logTerm: 4 });
    expect([behind?.reject, behind?.index, behind?.rejectHint, behind?.logTerm]).toEqual([true, 9, 5, 3]);
    const older = append(member, { index: 5, logTerm: 2 });
    expect([older?.reject, older?.index, older?.rejectHint, older?.logTerm]).toEqual([true, 5, 2, 1]);
  });
});

describe('committing (paper 5.4.2)', () => {
  test('entries of earlier terms are committed only behind one of the own term', () => {
    // Figure 8: the old entry reaches a majority, but no entry of the leader's term does.
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.propose(1, 'old');
    cluster.settle();
    expect(cluster.node(1).commitIndex).toBe(1);
    cluster.member(1).restart();
    cluster.heal();
    // Messages carry one entry each, and those of the new term get lost.
    cluster.drop = ({ entries }) => entries.some(({ term }) => term === 2);
    cluster.member(1).restart();
    cluster.node(1).campaign();
    for (let round = 0; round < 4; round++) {
      cluster.settle();
      cluster.tick(1);
    }
    expect(cluster.node(1).role).toBe('leader');
    // Offer exactly the old entry, as a leader with small messages would.
    for (const id of [2, 3]) {
      cluster.node(1).step(messageOf({ kind: MessageKind.appResp, from: id, to: 1, term: 2, index: 2 }));
    }
    expect(cluster.node(1).commitIndex).toBe(1);
    cluster.node(1).step(messageOf({ kind: MessageKind.appResp, from: 2, to: 1, term: 2, index: 3 }));
    expect(cluster.node(1).commitIndex).toBe(3);
  });

  test('a leader counts its own entries only when they are durable', () => {
    const cluster = new TestCluster(3, { config: { asyncStorageWrites: true } });
    cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, 'x');
    cluster.work(1);
    while (cluster.deliver());
    while (cluster.work(2) || cluster.appendOne(2));
    while (cluster.deliver());
    expect(cluster.node(1).commitIndex).toBe(1);
    cluster.appendOne(1);
    expect(cluster.node(1).commitIndex).toBe(2);
  });

  test('a proposal reaches every node, in order, learners too', () => {
    const cluster = new TestCluster(4, { learners: [4] });
    cluster.elect(1);
    expect(cluster.propose(1, 'a', 'b')).toEqual({ accepted: true, index: 3, term: 1 });
    cluster.settle();
    cluster.propose(1, 'c');
    cluster.settle();
    for (const member of cluster.members.values()) expect(member.appliedTexts()).toEqual(['a', 'b', 'c']);
  });

  test('learners count for no majority', () => {
    const cluster = new TestCluster(5, { learners: [4, 5] });
    cluster.elect(1);
    cluster.isolate(2);
    cluster.isolate(3);
    cluster.propose(1, 'x');
    cluster.settle();
    expect([cluster.node(1).commitIndex, cluster.node(4).lastIndex]).toEqual([1, 2]);
  });
});

describe('flow control (paper 5.3, thesis 10.2.2)', () => {
  test('a full window stops sending, and one acknowledgement of the last frees all of it', () => {
    const cluster = new TestCluster(2, { config: { inflightMessagesMax: 3 } });
    cluster.elect(1);
    for (const text of ['a', 'b', 'c', 'd', 'e']) cluster.propose(1, text);
    cluster.work(1);
    expect(cluster.inFlight(MessageKind.app).map(({ entries }) => entries.length)).toEqual([1, 1, 1]);
    // Only the answer to the last message arrives.
    cluster.network = [];
    const match = cluster.node(1).lastIndex - 2;
    cluster.node(1).step(messageOf({ kind: MessageKind.appResp, from: 2, to: 1, term: 1, index: match }));
    expect(cluster.node(1).status().progress.get(2)?.inflightCount).toBe(1);
    cluster.work(1);
    expect(cluster.inFlight(MessageKind.app).map(({ entries }) => entries.length)).toContain(2);
  });

  test('a window in bytes stops sending too', () => {
    const cluster = new TestCluster(2, { config: { inflightBytesMax: 100, messageBytesMax: 100 } });
    cluster.elect(1);
    for (let count = 0; count < 5; count++) cluster.propose(1, 'x'.repeat(60));
    cluster.work(1);
    expect(cluster.inFlight(MessageKind.app).length).toBe(2);
    expect(cluster.node(1).status().progress.get(2)?.inflightFull).toBe(true);
    cluster.settle();
    expect(cluster.member(2).appliedTexts().length).toBe(5);
  });

  test('messages keep to their size, and a larger entry goes alone', () => {
    const cluster = new TestCluster(2, {
      config: { messageBytesMax: entryBytes(entryOf(1, 1, 'xxxx')) * 2 },
    });
    cluster.elect(1);
    cluster.isolate(2);
    cluster.propose(1, 'aaaa', 'bbbb', 'cccc', 'd'.repeat(200), 'eeee');
    cluster.settle();
    cluster.node(1).reportUnreachable(2);
    cluster.heal();
    const sizes: number[] = [];
    cluster.drop = ({ entries }) => {
      if (entries.length > 0) sizes.push(entries.length);
      return false;
    };
    cluster.tick(1);
    cluster.settle();
    expect(cluster.member(2).appliedTexts().length).toBe(5);
    expect(sizes).toEqual([2, 1, 1, 1]);
  });

  test('one acknowledgement releases as many messages as the window has room for', () => {
    const cluster = new TestCluster(2, { config: { messageBytesMax: 1, inflightMessagesMax: 3 } });
    cluster.elect(1);
    cluster.isolate(2);
    cluster.propose(1, 'a', 'b', 'c', 'd', 'e');
    cluster.settle();
    cluster.node(1).reportUnreachable(2);
    cluster.heal();
    cluster.node(1).step(messageOf({ kind: MessageKind.appResp, from: 2, to: 1, term: 1, index: 1 }));
    cluster.work(1);
    expect(cluster.inFlight(MessageKind.app).map(({ entries }) => entries.map(({ index }) => index))).toEqual(
      [[2], [3], [4]],
    );
  });

  test('a heartbeat answer lets one message to a paused member go, no more', () => {
    const cluster = new TestCluster(2, { config: { inflightMessagesMax: 1 } });
    cluster.elect(1);
    cluster.propose(1, 'a');
    cluster.propose(1, 'b');
    cluster.work(1);
    cluster.network = [];
    for (const expected of [1, 1]) {
      cluster.node(1).step(messageOf({ kind: MessageKind.heartbeatResp, from: 2, to: 1, term: 1 }));
      cluster.work(1);
      expect(cluster.inFlight(MessageKind.app).map(({ entries }) => entries.length)).toEqual(
        new Array(expected).fill(0),
      );
      cluster.network = [];
    }
  });

  test('a member that lost messages is found out by an empty one and catches up', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.drop = ({ to, entries }) => to === 3 && entries.length > 0;
    cluster.propose(1, 'a');
    cluster.propose(1, 'b');
    cluster.settle();
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    expect(cluster.member(3).appliedTexts()).toEqual(['a', 'b']);
  });

  test('a late rejection does not set replication back', () => {
    const cluster = new TestCluster(2);
    cluster.elect(1);
    cluster.propose(1, 'a', 'b');
    cluster.settle();
    const leader = cluster.node(1);
    const before = leader.status().progress.get(2);
    leader.step(
      messageOf({
        kind: MessageKind.appResp,
        from: 2,
        to: 1,
        term: 1,
        index: 2,
        reject: true,
        rejectHint: 1,
        logTerm: 1,
      }),
    );
    expect(leader.status().progress.get(2)).toEqual(before);
    expect(leader.hasReady()).toBe(false);
  });

  test('a commit index is told once: by the message that carries it, or by an empty one', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    cluster.isolate(3);
    cluster.propose(1, 'a');
    cluster.settle();
    // Node 3 lost the entry, and the empty message that told its commit.
    cluster.heal();
    const empty: number[] = [];
    cluster.drop = ({ kind, to, entries }) => {
      if (kind === MessageKind.app && entries.length === 0) empty.push(to);
      return false;
    };
    cluster.tick(1);
    cluster.settle();
    expect(cluster.node(3).commitIndex).toBe(2);
    // One empty probe after the heartbeat answer; the entries that follow carry the commit.
    expect(empty).toEqual([3]);
  });

  test('long logs that went apart meet in few round trips', () => {
    // The leader has terms 1 2 4 4 4 …, the follower 1 1 1 … 3 3 3 …: two probes find index 1.
    const leaderTerms = [1, ...new Array(50).fill(2), ...new Array(50).fill(4)];
    const followerTerms = [1, ...new Array(40).fill(1), ...new Array(40).fill(3)];
    const cluster = new TestCluster(2);
    for (const [id, terms] of [
      [1, leaderTerms],
      [2, followerTerms],
    ] as const) {
      const { storage } = cluster.member(id);
      storage.append(terms.map((term: number, at: number) => entryOf(at + 1, term)));
      storage.setHardState({ term: 4, vote: 0, commit: 1 });
      cluster.member(id).restart();
    }
    let rejected = 0;
    cluster.drop = ({ kind, reject }) => {
      if (kind === MessageKind.appResp && reject) rejected++;
      return false;
    };
    cluster.elect(1);
    expect(cluster.node(2).commitIndex).toBe(cluster.node(1).lastIndex);
    expect(rejected).toBeLessThanOrEqual(3);
    expect(logTerms(cluster.member(2))).toEqual(logTerms(cluster.member(1)));
  });

  test('an answer to a probe that tells nothing new still ends the probing: the logs agree there', () => {
    const cluster = new TestCluster(2);
    const leader = cluster.elect(1);
    leader.reportUnreachable(2);
    expect(leader.status().progress.get(2)).toMatchObject({ state: 'probe', match: 1 });
    leader.step(messageOf({ kind: MessageKind.appResp, from: 2, to: 1, term: 1, index: 1 }));
    expect(leader.status().progress.get(2)).toMatchObject({ state: 'replicate', match: 1, next: 2 });
  });

  test('unreachable members are probed from what matches', () => {
    const cluster = new TestCluster(2);
    cluster.elect(1);
    cluster.isolate(2);
    cluster.propose(1, 'a');
    cluster.settle();
    const leader = cluster.node(1);
    expect(leader.status().progress.get(2)).toMatchObject({ state: 'replicate', next: 3 });
    leader.reportUnreachable(2);
    expect(leader.status().progress.get(2)).toMatchObject({ state: 'probe', match: 1, next: 2 });
  });
});

describe('proposals (thesis 6.2)', () => {
  test('a leader refuses payload beyond the limit of uncommitted bytes, never empty entries; applying returns it', () => {
    const cluster = new TestCluster(3, { config: { uncommittedBytesMax: 100 } });
    const leader = cluster.elect(1);
    cluster.isolate(1);
    expect(cluster.propose(1, 'x'.repeat(150)).accepted).toBe(true); // One always fits.
    expect(cluster.propose(1, 'y')).toEqual({ accepted: false, reason: 'overloaded', leader: 1 });
    expect(leader.propose([bytesOf('')]).accepted).toBe(true);
    cluster.settle();
    cluster.heal();
    cluster.tick(1);
    cluster.settle();
    expect(leader.status().uncommittedBytes).toBe(0);
    expect(cluster.propose(1, 'z'.repeat(99)).accepted).toBe(true);
  });

  test('a refused batch leaves nothing behind', () => {
    const cluster = new TestCluster(3, { config: { uncommittedBytesMax: 10 } });
    const leader = cluster.elect(1);
    cluster.propose(1, 'abc');
    const { lastIndex } = leader;
    expect(cluster.propose(1, 'defg', 'hijkl').accepted).toBe(false);
    expect([leader.lastIndex, leader.status().uncommittedBytes]).toEqual([lastIndex, 3]);
  });

  test('a follower passes proposals on, or says who leads', () => {
    const cluster = new TestCluster(3);
    cluster.elect(1);
    expect(cluster.propose(2, 'x')).toEqual({ accepted: false, reason: 'forwarded', leader: 1 });
    cluster.settle();
    expect(cluster.member(3).appliedTexts()).toEqual(['x']);
    const strict = new TestCluster(3, { config: { disableProposalForwarding: true } });
    expect(strict.propose(2, 'x')).toEqual({ accepted: false, reason: 'no-leader', leader: 0 });
    strict.elect(1);
    expect(strict.propose(2, 'x')).toEqual({ accepted: false, reason: 'not-leader', leader: 1 });
    expect(strict.node(2).hasReady()).toBe(false);
  });

  test('a candidate takes no proposals', () => {
    const cluster = new TestCluster(3);
    cluster.isolate(1);
    cluster.node(1).campaign();
    cluster.settle();
    expect(cluster.propose(1, 'x')).toMatchObject({ accepted: false, reason: 'no-leader' });
  });
});
