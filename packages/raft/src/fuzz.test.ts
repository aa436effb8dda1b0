import { type Message, MessageKind, Prng } from '@flotilla/base';
import { expect, test } from 'vitest';
import { encodeConfChange } from './conf-change.ts';
import { bytesOf, confOf, entryOf, messageOf, TestCluster } from './test-cluster.ts';

/** Messages of random content, most of them impossible. The core may refuse or even believe them, but never throw. */

const KINDS = Object.values(MessageKind);

function randomMessage(prng: Prng, term: number, last: number): Message {
  const small = (): number => prng.below(8);
  const near = (): number => Math.max(0, last - 3 + prng.below(6));
  const kind = KINDS[prng.below(KINDS.length)] as MessageKind;
  const index = prng.chance(0.8) ? near() : prng.below(2 ** 31);
  const sane = prng.chance(0.7);
  const entries = Array.from({ length: prng.chance(0.5) ? 0 : small() }, (_, at) => ({
    ...entryOf(sane ? index + 1 + at : small(), sane ? term : small(), 'x'),
    kind: (prng.chance(0.9) ? 0 : 1 + prng.below(2)) as 0,
    data: prng.chance(0.5)
      ? bytesOf('bytes')
      : encodeConfChange({
          transition: 'auto',
          changes: [{ kind: 'add-voter', id: small() }],
          context: bytesOf(''),
        }),
  }));
  return messageOf({
    kind,
    from: prng.chance(0.05) ? -small() : small(),
    to: prng.chance(0.98) ? 1 : small(),
    term: prng.chance(0.1) ? 0 : Math.max(0, term + prng.below(3) - 1),
    index,
    logTerm: prng.chance(0.6) ? term : small(),
    commit: prng.chance(0.8) ? near() : prng.below(2 ** 31),
    reject: prng.chance(0.5),
    rejectHint: near(),
    entries,
    snapshot:
      prng.chance(0.7) && kind !== MessageKind.snap
        ? undefined
        : {
            index: near(),
            term: small(),
            confState: confOf([1, 2, 3], prng.chance(0.3) ? [small()] : []),
            data: bytesOf(''),
          },
    context: bytesOf('c'.repeat(prng.chance(0.5) ? 0 : 8 * prng.below(3))),
  });
}

test('whatever a message says, stepping it does not throw, in any role', () => {
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= 150; seed++) {
    const prng = new Prng(seed);
    const cluster = new TestCluster(3, {
      config: {
        asyncStorageWrites: prng.chance(0.5),
        preVote: prng.chance(0.5),
        checkQuorum: prng.chance(0.5),
      },
    });
    cluster.elect(1);
    cluster.propose(1, 'a', 'b', 'c');
    cluster.settle();
    const { node } = cluster.member(1);
    for (let round = 0; round < 150; round++) {
      const message = randomMessage(prng, node.term, node.lastIndex);
      // Responses of storage threads are this host's own, and not remote input.
      if (message.from < 0) continue;
      const result = node.step(message);
      const key = `${node.role} ${result}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      if (prng.chance(0.1)) node.tick();
      if (prng.chance(0.05)) node.campaign();
      if (prng.chance(0.05)) node.propose([bytesOf('p')]);
    }
  }
  for (const role of ['leader', 'follower']) {
    for (const result of ['ok', 'local-message', 'unknown-peer', 'malformed', 'inconsistent']) {
      expect(seen.get(`${role} ${result}`) ?? 0, `${role} ${result}`).toBeGreaterThan(0);
    }
  }
  expect(seen.get('candidate ok') ?? 0).toBeGreaterThan(0);
});
