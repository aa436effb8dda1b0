import { describe, expect, test } from 'vitest';
import { LeaderLease, Rounds, VotePromise } from './lease.ts';

const NEVER = Number.NEGATIVE_INFINITY;

describe('a promise', () => {
  test('refuses everybody but the leader that got it, until it ends', () => {
    const promise = new VotePromise(NEVER);
    expect(promise.holds(0)).toBe(false);
    promise.give(1, 150);
    expect(promise.remaining(2, 0)).toBe(150);
    expect(promise.remaining(2, 149)).toBe(1);
    expect(promise.remaining(1, 0)).toBe(0);
    expect(promise.remaining(2, 150)).toBe(0);
    expect(promise.holds(149.9)).toBe(true);
    expect(promise.holds(150)).toBe(false);
  });

  test('is replaced by a later one and never shortened by an earlier one', () => {
    const promise = new VotePromise(NEVER);
    promise.give(1, 150);
    promise.give(2, 120);
    expect(promise.remaining(2, 100)).toBe(50);
    expect(promise.remaining(1, 100)).toBe(0);
    promise.give(2, 200);
    expect(promise.remaining(1, 100)).toBe(100);
    expect(promise.remaining(2, 100)).toBe(0);
    expect(promise.until).toBe(200);
  });

  test('to nobody in particular, after a restart, holds against everybody, also against a leader just heard', () => {
    const promise = new VotePromise(150);
    expect(promise.remaining(1, 20)).toBe(130);
    expect(promise.holds(149)).toBe(true);
    promise.give(1, 170);
    expect(promise.remaining(1, 20)).toBe(130);
    expect(promise.remaining(2, 20)).toBe(150);
    expect(promise.remaining(1, 150)).toBe(0);
    expect(promise.remaining(2, 150)).toBe(20);
    expect(promise.until).toBe(170);
  });
});

describe('a lease', () => {
  const leading = (term = 3): LeaderLease => {
    const lease = new LeaderLease();
    lease.begin(term);
    return lease;
  };

  test('rests on the newest round that a majority of the voters has answered', () => {
    const lease = leading();
    const voters = [[1, 2, 3, 4, 5], []];
    expect(lease.quorumStamp(1, 100, voters)).toBe(NEVER);
    lease.answered(2, 3, 50);
    expect(lease.quorumStamp(1, 100, voters)).toBe(NEVER);
    lease.answered(3, 3, 40);
    expect(lease.quorumStamp(1, 100, voters)).toBe(40);
    lease.answered(4, 3, 60);
    expect(lease.quorumStamp(1, 100, voters)).toBe(50);
  });

  test.each([
    { voters: [1], others: 0 },
    { voters: [1, 2], others: 1 },
    { voters: [1, 2, 3], others: 1 },
    { voters: [1, 2, 3, 4], others: 2 },
    { voters: [1, 2, 3, 4, 5], others: 2 },
    { voters: [1, 2, 3, 4, 5, 6], others: 3 },
    { voters: [1, 2, 3, 4, 5, 6, 7], others: 3 },
  ])('of $voters needs answers of $others others', ({ voters, others }) => {
    const lease = leading();
    for (let count = 0; count <= others; count++) {
      if (count > 0) lease.answered(count + 1, 3, 70);
      expect(lease.quorumStamp(1, 100, [voters]) > NEVER).toBe(count >= others);
    }
  });

  test('while joint needs a majority of both sets; the older of the two counts', () => {
    const lease = leading();
    const joint = [
      [1, 2, 3],
      [1, 4, 5],
    ];
    lease.answered(2, 3, 80);
    expect(lease.quorumStamp(1, 100, joint)).toBe(NEVER);
    lease.answered(4, 3, 30);
    expect(lease.quorumStamp(1, 100, joint)).toBe(30);
  });

  test('counts the leader itself only while it is a voter, and learners never', () => {
    const lease = leading();
    lease.answered(2, 3, 80);
    lease.answered(9, 3, 90);
    expect(lease.quorumStamp(1, 100, [[2, 3, 4]])).toBe(NEVER);
    lease.answered(3, 3, 70);
    expect(lease.quorumStamp(1, 100, [[2, 3, 4]])).toBe(70);
    expect(lease.quorumStamp(1, 100, [[1, 4, 5]])).toBe(NEVER);
  });

  test('never takes an answer of another term, and an older answer changes nothing', () => {
    const lease = leading(3);
    lease.answered(2, 2, 99);
    lease.answered(2, 4, 99);
    expect(lease.quorumStamp(1, 100, [[1, 2, 3]])).toBe(NEVER);
    lease.answered(2, 3, 60);
    lease.answered(2, 3, 40);
    expect(lease.quorumStamp(1, 100, [[1, 2, 3]])).toBe(60);
  });

  test('of a new term begins with nothing', () => {
    const lease = leading(3);
    lease.answered(2, 3, 60);
    lease.begin(5);
    expect(lease.quorumStamp(1, 100, [[1, 2, 3]])).toBe(NEVER);
    lease.answered(2, 3, 90);
    expect(lease.quorumStamp(1, 100, [[1, 2, 3]])).toBe(NEVER);
  });

  test('that was forfeited does not come back in its term; how fresh the state is remains known', () => {
    const lease = leading(3);
    lease.answered(2, 3, 60);
    lease.forfeit();
    lease.answered(2, 3, 80);
    expect(lease.quorumStamp(1, 100, [[1, 2, 3]])).toBe(NEVER);
    expect(lease.heardStamp(1, 100, [[1, 2, 3]])).toBe(80);
    lease.begin(4);
    lease.answered(2, 4, 90);
    expect(lease.quorumStamp(1, 100, [[1, 2, 3]])).toBe(90);
  });
});

describe('rounds', () => {
  test('know their stamp until many later ones were opened', () => {
    const rounds = new Rounds();
    const first = rounds.open(10);
    for (let at = 1; at < 512; at++) rounds.open(10 + at);
    expect(rounds.stampOf(first)).toBe(10);
    rounds.open(1_000);
    expect(rounds.stampOf(first)).toBeUndefined();
    expect(rounds.stampOf(first + 512)).toBe(1_000);
  });

  test('that were never opened have no stamp, whatever an answer says', () => {
    const rounds = new Rounds();
    const round = rounds.open(10);
    for (const never of [0, -1, round + 1, 2 ** 53 - 1]) expect(rounds.stampOf(never)).toBeUndefined();
  });
});
