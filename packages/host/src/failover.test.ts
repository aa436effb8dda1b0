import { Prng, VirtualTime } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { Failover } from './failover.ts';
import type { Replica } from './replica.ts';
import { hostTuning } from './tuning.ts';

interface Actor {
  broken: string | undefined;
  isLeader: boolean;
  campaignAt: number | undefined;
  forgetAt: number | undefined;
  refusalsLeft: number;
  leader: number;
  promisedUntil: number;
  readonly did: string[];
  role: string;
  yieldsUntil: number;
}

function bench(rank = 0) {
  const time = new VirtualTime();
  const actor: Actor = {
    broken: undefined,
    isLeader: false,
    campaignAt: undefined,
    forgetAt: undefined,
    refusalsLeft: 2,
    leader: 1,
    promisedUntil: 0,
    did: [],
    role: 'follower',
    yieldsUntil: 0,
  };
  const say = (what: string): void => {
    actor.did.push(`${what} ${Math.floor(time.monoMs())}`);
  };
  const replica = Object.assign(actor, {
    promise: {
      get until() {
        return actor.promisedUntil;
      },
    },
    raftId: 2,
    raft: {
      get role() {
        return actor.role;
      },
      get leaderId() {
        return actor.leader;
      },
      forgetLeader: () => {
        actor.leader = 0;
        say('forget');
      },
      campaign: () => {
        actor.role = 'pre-candidate';
        say('campaign');
      },
    },
    leaderStore: () => (actor.leader === 0 ? undefined : `s${actor.leader}`),
    failoverRank: () => rank,
  }) as unknown as Replica;
  const failover = new Failover({
    timers: time,
    random: new Prng(1),
    tuning: { ...hostTuning, failoverJitterMs: 0 },
    now: () => time.monoMs(),
    act: (_replica, work) => work(),
  });
  return { time, actor, replica, failover };
}

describe('after the connection to the leader dropped', () => {
  test('it is forgotten as the promise ends, and votes are asked for 150 ms and 10 ms a rank after the drop', () => {
    for (const rank of [0, 1, 4]) {
      const { time, actor, replica, failover } = bench(rank);
      time.advance(1_000);
      actor.promisedUntil = 1_100;
      failover.dropped('s1', [replica]);
      time.advance(1_000);
      expect(actor.did).toEqual(['forget 1100', `campaign ${1_150 + 10 * rank}`]);
    }
  });

  test('a promise that outlasts the 150 ms holds the own campaign back as well', () => {
    const { time, actor, replica, failover } = bench();
    actor.promisedUntil = 400;
    failover.dropped('s1', [replica]);
    time.advance(1_000);
    expect(actor.did).toEqual(['forget 400', 'campaign 400']);
  });

  test('a round of the leader that is accepted meanwhile cancels both', () => {
    const { time, actor, replica, failover } = bench();
    actor.promisedUntil = 100;
    failover.dropped('s1', [replica]);
    time.advance(50);
    failover.heard(replica);
    time.advance(5_000);
    expect(actor.did).toEqual([]);
  });

  test('followers of other leaders, leaders and broken replicas do nothing', () => {
    const { time, actor, replica, failover } = bench();
    failover.dropped('s2', [replica]);
    actor.isLeader = true;
    failover.dropped('s1', [replica]);
    actor.isLeader = false;
    actor.broken = 'damaged';
    failover.dropped('s1', [replica]);
    time.advance(5_000);
    expect(actor.did).toEqual([]);
  });

  test('a leader by then does not campaign, and a stopped host does nothing at all', () => {
    const { time, actor, replica, failover } = bench();
    failover.dropped('s1', [replica]);
    actor.isLeader = true;
    time.advance(1_000);
    expect(actor.did).toEqual(['forget 0']);
    const stopped = bench();
    stopped.failover.dropped('s1', [stopped.replica]);
    stopped.failover.stop();
    stopped.failover.dropped('s1', [stopped.replica]);
    stopped.time.advance(1_000);
    expect(stopped.actor.did).toEqual([]);
    expect(stopped.time.waiting).toBe(0);
  });
});

describe('a refusal', () => {
  const leaderless = (rank = 0) => {
    const all = bench(rank);
    all.actor.leader = 0;
    return all;
  };

  test('is followed by another try as it runs out, twice, and then by the election timeout', () => {
    const { time, actor, replica, failover } = leaderless(1);
    for (let at = 0; at < 4; at++) {
      failover.refused(replica, 30);
      time.advance(500);
    }
    expect(actor.did).toEqual(['campaign 40', 'campaign 540']);
    failover.heard(replica);
    actor.leader = 0;
    failover.refused(replica, 30);
    time.advance(100);
    expect(actor.did).toHaveLength(3);
  });

  test('of several voters for one campaign costs one try, and the longest promise counts', () => {
    const { time, actor, replica, failover } = leaderless();
    for (const ms of [20, 90, 50, 10]) failover.refused(replica, ms);
    time.advance(500);
    expect(actor.did).toEqual(['campaign 90']);
    expect(actor.refusalsLeft).toBe(1);
  });

  test('that names no number, or a longer time than any promise, does no harm', () => {
    const { time, actor, replica, failover } = leaderless();
    for (const ms of [Number.NaN, -5, Number.NEGATIVE_INFINITY]) failover.refused(replica, ms);
    time.advance(1_000);
    expect(actor.did).toEqual([]);
    expect(time.waiting).toBe(0);
    failover.refused(replica, Number.POSITIVE_INFINITY);
    time.advance(1_000);
    expect(actor.did).toEqual(['campaign 1150']);
  });

  test('is nothing to somebody who has a leader or leads', () => {
    const { time, actor, replica, failover } = leaderless();
    actor.leader = 2;
    failover.refused(replica, 30);
    actor.leader = 0;
    actor.isLeader = true;
    failover.refused(replica, 30);
    time.advance(1_000);
    expect(actor.did).toEqual([]);
  });
});

describe('a vote for another candidate', () => {
  test('puts the own turn off by as long as a promise lasts', () => {
    const { time, actor, replica, failover } = bench(1);
    failover.dropped('s1', [replica]);
    time.advance(155);
    failover.voted(replica);
    time.advance(1_000);
    expect(actor.did).toEqual(['forget 0', 'campaign 315']);
  });

  test('plans nothing where nothing was planned', () => {
    const { time, actor, replica, failover } = bench();
    actor.leader = 0;
    failover.voted(replica);
    time.advance(1_000);
    expect(actor.did).toEqual([]);
  });
});

describe('a pre-vote for another candidate', () => {
  test('puts off the own one that is planned, whoever asks', () => {
    for (const candidate of [1, 3]) {
      const { time, actor, replica, failover } = bench(1);
      failover.dropped('s1', [replica]);
      time.advance(155);
      failover.preVoted(replica, candidate);
      expect(failover.yields(replica)).toBe(false);
      time.advance(1_000);
      expect(actor.did).toEqual(['forget 0', 'campaign 315']);
    }
  });

  test('of a lower raft id ends the own one that is under way, and it is tried again later', () => {
    const { time, actor, replica, failover } = bench(1);
    failover.dropped('s1', [replica]);
    time.advance(165);
    failover.preVoted(replica, 1);
    expect(failover.yields(replica)).toBe(true);
    time.advance(140);
    expect(failover.yields(replica)).toBe(true);
    time.advance(100);
    expect(actor.did).toEqual(['forget 0', 'campaign 160', 'campaign 325']);
    expect(failover.yields(replica)).toBe(false);
  });

  test('of a higher raft id leaves the own one alone', () => {
    const { time, actor, replica, failover } = bench(1);
    failover.dropped('s1', [replica]);
    time.advance(165);
    failover.preVoted(replica, 3);
    expect(failover.yields(replica)).toBe(false);
    time.advance(1_000);
    expect(actor.did).toEqual(['forget 0', 'campaign 160']);
  });

  test('means nothing to somebody who neither asks nor plans to', () => {
    const { time, actor, replica, failover } = bench();
    actor.leader = 0;
    failover.preVoted(replica, 1);
    time.advance(1_000);
    expect([actor.did, failover.yields(replica)]).toEqual([[], false]);
  });
});

test('a replica that starts asks as its hold-back ends, in the order of its group', () => {
  const { time, actor, replica, failover } = bench(2);
  actor.leader = 0;
  failover.started(replica, 150);
  time.advance(1_000);
  expect(actor.did).toEqual(['campaign 170']);
});

test('a replica of a group that is being founded asks three times, the first of the group long before the others', () => {
  for (const [rank, first] of [
    [0, 50],
    [1, 340],
  ] as const) {
    const { time, actor, replica, failover } = bench(rank);
    failover.founded(replica);
    time.advance(first - 1 + 10 * rank);
    expect(actor.did).toEqual([]);
    time.advance(1);
    expect(actor.did.length).toBe(1);
    time.advance(1_000);
    expect(actor.did.length).toBe(3);
  }
});

test('a replica of a group that is being founded stops asking as it hears a leader', () => {
  const { time, actor, replica, failover } = bench(0);
  failover.founded(replica);
  time.advance(60);
  failover.heard(replica);
  time.advance(1_000);
  expect(actor.did.length).toBe(1);
});
