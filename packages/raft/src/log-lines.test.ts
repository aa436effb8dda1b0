import { EMPTY_BYTES, EntryKind, MessageKind } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import type { RaftConfig } from './config.ts';
import type { RaftLogger } from './logger.ts';
import { MemoryStorage } from './memory-storage.ts';
import { bytesOf, confOf, entryOf, messageOf, TestCluster, TestMember } from './test-cluster.ts';
import { UnstableLog } from './unstable.ts';

/** Log lines keep the words of etcd's raft, so that its data files and its users' tools fit. Here: those that the files do not reach. */

class Lines implements RaftLogger {
  lines: string[] = [];
  log(level: string, text: () => string): void {
    this.lines.push(`${level.toUpperCase()} ${text()}`);
  }
}

/** What a cluster of three with leader 1 (and learner 4) logs while something is done to it. */
function during(act: (cluster: TestCluster) => void, config: Partial<RaftConfig> = {}): string[] {
  const logger = new Lines();
  const cluster = new TestCluster(4, { logger, config, learners: [4] });
  cluster.elect(1);
  logger.lines = [];
  act(cluster);
  return logger.lines;
}

describe('log lines', () => {
  test('of campaigns that do not begin', () => {
    expect(during((cluster) => cluster.node(1).campaign())).toEqual([
      'DEBUG 1 ignoring MsgHup because already leader',
    ]);
    const logger = new Lines();
    const storage = new MemoryStorage();
    storage.setConfState(confOf([1, 2]));
    storage.append([{ ...entryOf(1, 1), kind: EntryKind.confChangeV2 }]);
    storage.setHardState({ term: 1, vote: 0, commit: 1 });
    const { node } = new TestMember(1, storage, { logger });
    logger.lines = [];
    node.campaign();
    expect(logger.lines).toEqual([
      'WARN 1 cannot campaign at term 1 since there are still pending configuration changes to apply',
    ]);
  });

  test('of transfers', () => {
    const lines = during((cluster) => {
      cluster.isolate(2);
      cluster.propose(1, 'x');
      cluster.settle();
      const leader = cluster.node(1);
      leader.transferLeader(4);
      leader.transferLeader(1);
      leader.transferLeader(2);
      leader.transferLeader(2);
      cluster.propose(1, 'y');
      leader.transferLeader(9);
    });
    expect(lines).toEqual([
      'DEBUG 1 is learner. Ignored transferring leadership',
      'DEBUG 1 is already leader. Ignored transferring leadership to self',
      'INFO 1 [term 1] starts to transfer leadership to 2',
      'INFO 1 [term 1] transfer leadership to 2 is in progress, ignores request to same node 2',
      'DEBUG 1 [term 1] transfer leadership to 2 is in progress; dropping proposal',
      'DEBUG 1 no progress available for 9',
    ]);
    const replaced = during((cluster) => {
      cluster.isolate(2);
      cluster.propose(1, 'x');
      cluster.settle();
      cluster.node(1).transferLeader(2);
      cluster.node(1).transferLeader(3);
    });
    expect(replaced.slice(1)).toEqual([
      'INFO 1 [term 1] abort previous transferring leadership to 2',
      'INFO 1 [term 1] starts to transfer leadership to 3',
      'INFO 1 sends MsgTimeoutNow to 3 immediately as 3 already has up-to-date log',
    ]);
  });

  test('of a transfer to a member that has to catch up', () => {
    const lines = during((cluster) => {
      cluster.isolate(2);
      cluster.propose(1, 'x');
      cluster.settle();
      cluster.node(1).transferLeader(2);
      cluster.heal();
      cluster.tick(1);
      cluster.settle();
    });
    expect(lines).toContain('INFO 1 sent MsgTimeoutNow to 2 after received MsgAppResp');
  });

  test('of requests that nobody can serve', () => {
    const logger = new Lines();
    const cluster = new TestCluster(3, { logger, config: { disableProposalForwarding: true } });
    logger.lines = [];
    cluster.node(2).transferLeader(3);
    cluster.node(2).readIndex(bytesOf('r'));
    cluster.propose(2, 'x');
    cluster.node(2).step(messageOf({ kind: MessageKind.heartbeat, from: 1, to: 2, term: 1 }));
    cluster.propose(2, 'x');
    expect(logger.lines).toEqual([
      'INFO 2 no leader at term 0; dropping leader transfer msg',
      'INFO 2 no leader at term 0; dropping index reading msg',
      'INFO 2 no leader at term 0; dropping proposal',
      'INFO 2 [term: 0] received a MsgHeartbeat message with higher term from 1 [term: 1]',
      'INFO 2 became follower at term 1',
      'INFO 2 not forwarding to leader 1 at term 1; dropping proposal',
    ]);
  });

  test('of snapshots: reported, ignored, overtaken by the log, and withheld', () => {
    const lines = during((cluster) => {
      cluster.isolate(3);
      cluster.propose(1, 'a', 'b');
      cluster.settle();
      cluster.member(1).compact();
      cluster.heal();
      cluster.drop = ({ kind }) => kind === MessageKind.snap;
      cluster.tick(1);
      cluster.settle();
      cluster.node(1).reportSnapshot(3, false);
      cluster.tick(1);
      cluster.settle();
      cluster.node(1).reportSnapshot(3, true);
    });
    const reports = lines.filter(
      (line) => line.includes('snapshot failed') || line.includes('snapshot succeeded'),
    );
    expect(reports).toEqual([
      'DEBUG 1 snapshot failed, resumed sending replication messages to 3 [StateProbe match=1 next=2]',
      'DEBUG 1 snapshot succeeded, resumed sending replication messages to 3 [StateProbe match=1 next=4]',
    ]);
    const snapshot = { index: 1, term: 1, confState: confOf([1, 2, 3], [4]), data: EMPTY_BYTES };
    const offer = messageOf({ kind: MessageKind.snap, from: 1, to: 2, term: 1, snapshot });
    expect(during((cluster) => cluster.node(2).step(offer))).toEqual([
      'INFO 2 [commit: 1] ignored snapshot [index: 1, term: 1]',
    ]);
    const overtaken = during((cluster) => {
      cluster.drop = ({ to, commit }) => to === 2 && commit > 1;
      cluster.propose(1, 'a', 'b');
      cluster.settle();
      cluster.node(2).step({ ...offer, snapshot: { ...snapshot, index: 2 } });
    });
    expect(overtaken).toEqual([
      'INFO 2 [commit: 1, lastindex: 3, lastterm: 1] fast-forwarded commit to snapshot [index: 2, term: 1]',
      'INFO 2 [commit: 2] ignored snapshot [index: 2, term: 1]',
    ]);
  });

  test('of a member that was not heard from and needs a snapshot', () => {
    const lines = during(
      (cluster) => {
        cluster.isolate(3);
        cluster.propose(1, 'a');
        cluster.settle();
        cluster.member(1).compact();
        cluster.tick(1, 10);
        cluster.settle();
        cluster.node(1).reportUnreachable(3);
        cluster.propose(1, 'b');
      },
      { checkQuorum: true },
    );
    expect(lines).toContain('DEBUG ignore sending snapshot to 3 since it is not recently active');
  });

  test('of the unstable log', () => {
    const logger = new Lines();
    const log = new UnstableLog(5, logger);
    log.append([entryOf(5, 1), entryOf(6, 1), entryOf(7, 1)]);
    log.append([entryOf(6, 2)]);
    log.append([entryOf(5, 3)]);
    log.stableTo(9, 3);
    log.stableTo(5, 1);
    log.restore({ index: 8, term: 3, confState: confOf([1]), data: EMPTY_BYTES });
    log.stableTo(8, 3);
    expect(logger.lines).toEqual([
      'INFO truncate the unstable entries before index 6',
      'INFO replace the unstable entries from index 5',
      'INFO entry at index 9 missing from unstable log; ignoring',
      'INFO entry at (index,term)=(5,1) mismatched with entry at (5,3) in unstable log; ignoring',
      'INFO entry at index 8 matched unstable snapshot; ignoring',
    ]);
  });

  test('of limits, orders that come late, and ids above nine (hexadecimal)', () => {
    const limited = during(
      (cluster) => {
        cluster.propose(1, 'xx');
        cluster.propose(1, 'yy');
      },
      { uncommittedBytesMax: 3 },
    );
    expect(limited).toEqual([
      'WARN 1 appending new entries to log would exceed uncommitted entry size limit; dropping proposal',
    ]);
    const logger = new Lines();
    const storage = new MemoryStorage();
    storage.setConfState(confOf([10, 11, 255]));
    const { node } = new TestMember(11, storage, { logger });
    node.campaign();
    node.step(messageOf({ kind: MessageKind.timeoutNow, from: 10, to: 11, term: 1 }));
    expect(logger.lines).toEqual([
      'INFO b switched to configuration voters=(a b ff)',
      'INFO b became follower at term 0',
      'INFO newRaft b [peers: [a,b,ff], term: 0, commit: 0, applied: 0, lastindex: 0, lastterm: 0]',
      'INFO b is starting a new election at term 0',
      'INFO b became candidate at term 1',
      'INFO b [logterm: 0, index: 0] sent MsgVote request to a at term 1',
      'INFO b [logterm: 0, index: 0] sent MsgVote request to ff at term 1',
      'DEBUG b [term 1 state StateCandidate] ignored MsgTimeoutNow from a',
    ]);
  });

  test('are handed over as functions: a logger that drops a level never builds its texts', () => {
    let offered = 0;
    const logger: RaftLogger = {
      log: (level, text) => {
        offered++;
        expect([typeof level, typeof text]).toEqual(['string', 'function']);
      },
    };
    new TestCluster(3, { logger }).elect(1);
    expect(offered).toBeGreaterThan(10);
  });
});
