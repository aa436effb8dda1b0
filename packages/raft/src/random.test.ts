import { EMPTY_BYTES, type Entry, Prng, type RaftId } from '@flotilla/base';
import { expect, test } from 'vitest';
import { type ConfChangeSingle, LEAVE_JOINT } from './conf-change.ts';
import { isMember, isVoter } from './membership.ts';
import { bytesOf, TestCluster, type TestMember, textOf } from './test-cluster.ts';

/**
 * Random schedules over a lossy, reordering, duplicating network with crashes that lose everything that was not
 * durable, against the four properties of figure 3 of the paper and linearizable reads. A failure names its
 * seed; `FLOTILLA_RAFT_SEEDS=17` runs that one, `FLOTILLA_RAFT_SEEDS=1000-2000` a range.
 */

const IDS: readonly RaftId[] = [1, 2, 3, 4, 5];

/** As `expect(actual).toBe(wanted)`, but cheap enough to run millions of times. */
function same<Value>(actual: Value, wanted: Value, what: () => string): void {
  if (actual !== wanted) throw new Error(`${what()}: ${actual}, not ${wanted}`);
}

function atLeast(actual: number, least: number, what: () => string): void {
  if (actual < least) throw new Error(`${what()}: ${actual} is below ${least}`);
}

class World {
  readonly prng: Prng;
  readonly cluster: TestCluster;
  readonly #changesMembers: boolean;
  #clock = 0;
  // What the properties remember.
  readonly #leaderOfTerm = new Map<number, RaftId>();
  readonly #termAtCommit = new Map<number, number>();
  #commitMax = 0;
  readonly #seenCommit = new Map<RaftId, number>();
  readonly #digests = new Map<number, number>();
  readonly #confs = new Map<number, string>();
  readonly #votes = new Map<string, RaftId>();
  readonly #readsAsked = new Map<string, number>();
  readonly #readsChecked = new Map<RaftId, number>();
  readonly counts = { leaders: 0, commits: 0, reads: 0, crashes: 0, changes: 0 };

  constructor(seed: number) {
    this.prng = new Prng(seed);
    const { prng } = this;
    this.#changesMembers = prng.chance(0.5);
    const checkQuorum = prng.chance(0.5);
    this.cluster = new TestCluster(this.#changesMembers ? 5 : 3 + 2 * prng.below(2), {
      ...(this.#changesMembers ? { voters: [1, 2, 3] } : {}),
      config: {
        asyncStorageWrites: prng.chance(0.8),
        preVote: prng.chance(0.5),
        checkQuorum,
        stepDownOnRemoval: prng.chance(0.5),
        disableProposalForwarding: prng.chance(0.5),
        electionTicks: 5,
        messageBytesMax: prng.chance(0.5) ? 60 : 1_000,
        committedBytesPerReadyMax: prng.chance(0.5) ? 50 : 1_000,
        inflightMessagesMax: 1 + prng.below(4),
        random: (limit) => prng.below(limit),
      },
    });
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items.length === 0 ? undefined : items[this.prng.below(items.length)];
  }

  #member(): TestMember {
    return this.#pick([...this.cluster.members.values()]) as TestMember;
  }

  /** One random thing happens, with or without faults. */
  act(faults: boolean): void {
    const { prng, cluster } = this;
    const { id, node } = this.#member();
    const dice = prng.below(1_000);
    if (dice < 400) cluster.deliver(prng.chance(0.7) ? 0 : prng.below(Math.max(1, cluster.network.length)));
    else if (dice < 600) cluster.work(id);
    else if (dice < 720) cluster.appendOne(id);
    else if (dice < 800) cluster.applyOne(id);
    else if (dice < 910) node.tick();
    else if (dice < 945) node.propose([bytesOf(`${++this.#clock}`)]);
    else if (dice < 960) this.#read(id);
    else if (faults) this.#fault(id);
    this.check();
  }

  #read(id: RaftId): void {
    const text = `r${++this.#clock}`;
    this.#readsAsked.set(text, this.#commitMax);
    this.cluster.node(id).readIndex(bytesOf(text));
  }

  #fault(id: RaftId): void {
    const { prng, cluster } = this;
    const member = cluster.member(id);
    const dice = prng.below(1_000);
    const { network } = cluster;
    if (dice < 300) {
      if (network.length > 0) network.splice(prng.below(network.length), 1);
    } else if (dice < 600) {
      // A copy that may arrive much later.
      const copied = this.#pick(network);
      if (copied !== undefined) network.push(copied);
    } else if (dice < 670) {
      this.#crash(member);
    } else if (dice < 700) {
      cluster.isolate(id);
    } else if (dice < 770) {
      cluster.heal();
    } else if (dice < 820) {
      if (member.state.index >= member.storage.firstIndex()) member.compact();
    } else if (dice < 860) {
      member.node.reportSnapshot(this.#pick(IDS) as RaftId, prng.chance(0.5));
    } else if (dice < 880) {
      member.node.transferLeader(this.#pick(IDS) as RaftId);
    } else if (dice < 910) {
      member.node.forgetLeader();
    } else if (dice < 930) {
      member.node.reportUnreachable(this.#pick(IDS) as RaftId);
    } else if (dice < 940) {
      member.node.campaign();
    } else if (this.#changesMembers) {
      this.#change();
    }
  }

  #crash(member: TestMember): void {
    const { storage } = member;
    const reachable = member.history.filter(({ index }) => index >= storage.firstIndex() - 1);
    const state = this.#pick(reachable);
    if (state === undefined) return;
    this.counts.crashes++;
    member.restart(state);
    this.#seenCommit.delete(member.id);
    this.#readsChecked.set(member.id, 0);
    member.reads = [];
  }

  #change(): void {
    const { prng } = this;
    const leaders = [...this.cluster.members.values()].filter(({ node }) => node.role === 'leader');
    const node = this.#pick(leaders)?.node;
    if (node === undefined) return;
    if (node.confState.votersOutgoing.length > 0) {
      node.proposeConfChange(LEAVE_JOINT);
      return;
    }
    const changes = Array.from({ length: 1 + prng.below(3) }, (): ConfChangeSingle => {
      const kind = (['add-voter', 'add-voter', 'add-learner', 'remove'] as const)[prng.below(4)] as 'remove';
      return { kind, id: this.#pick(IDS) as RaftId };
    });
    const transition = (['auto', 'joint-implicit', 'joint-explicit'] as const)[prng.below(3)] as 'auto';
    if (node.proposeConfChange({ transition, changes, context: EMPTY_BYTES }).accepted) this.counts.changes++;
  }

  // ---- properties

  check(): void {
    for (const trouble of this.cluster.troubles) {
      if (trouble === 'inconsistent' || trouble === 'malformed') throw new Error(`a message was ${trouble}`);
    }
    this.cluster.troubles.length = 0;
    for (const member of this.cluster.members.values()) {
      this.#checkVote(member);
      this.#checkCommits(member);
      this.#checkLeader(member);
      this.#checkState(member);
      this.#checkReads(member);
    }
  }

  /** A durable vote never changes within its term. */
  #checkVote({ id, storage }: TestMember): void {
    const { hardState } = storage.initialState();
    if (hardState === undefined || hardState.vote === 0) return;
    const key = `${id}/${hardState.term}`;
    same(this.#votes.get(key) ?? hardState.vote, hardState.vote, () => `vote of ${key}`);
    this.#votes.set(key, hardState.vote);
  }

  /** Whatever one node commits at an index is what every node commits there. */
  #checkCommits({ id, node }: TestMember): void {
    const commit = node.commitIndex;
    const seen = this.#seenCommit.get(id) ?? 0;
    atLeast(commit, seen, () => `commit index of ${id}`);
    for (let index = seen + 1; index <= commit; index++) {
      const term = node.termAt(index);
      if (term === undefined) continue;
      const known = this.#termAtCommit.get(index);
      if (known === undefined) this.counts.commits++;
      same(known ?? term, term, () => `term of committed ${index} on ${id}`);
      this.#termAtCommit.set(index, term);
    }
    this.#seenCommit.set(id, commit);
    this.#commitMax = Math.max(this.#commitMax, commit);
  }

  /** Election safety, and leader completeness at the moment of the election. */
  #checkLeader({ id, node }: TestMember): void {
    if (node.role !== 'leader') return;
    const known = this.#leaderOfTerm.get(node.term);
    same(known ?? id, id, () => `leader of term ${node.term}`);
    if (known !== undefined) return;
    this.counts.leaders++;
    this.#leaderOfTerm.set(node.term, id);
    atLeast(node.lastIndex, this.#commitMax, () => `log of leader ${id}`);
    for (const [index, term] of this.#termAtCommit) {
      if (index >= node.firstIndex)
        same(node.termAt(index), term, () => `committed ${index} on leader ${id}`);
    }
  }

  /** State machine safety: the same entries in the same order, and the same membership, whoever applies them. */
  #checkState({ id, state }: TestMember): void {
    const known = this.#digests.get(state.index);
    same(known ?? state.digest, state.digest, () => `state of ${id} at ${state.index}`);
    this.#digests.set(state.index, state.digest);
    const conf = JSON.stringify(state.conf);
    same(this.#confs.get(state.index) ?? conf, conf, () => `configuration of ${id} at ${state.index}`);
    this.#confs.set(state.index, conf);
  }

  /** A read sees at least what was committed anywhere when it was asked. */
  #checkReads({ id, reads }: TestMember): void {
    for (let at = this.#readsChecked.get(id) ?? 0; at < reads.length; at++) {
      const { index, text } = reads[at] as (typeof reads)[number];
      atLeast(index, this.#readsAsked.get(text) ?? 0, () => `read ${text} on ${id}`);
      this.counts.reads++;
    }
    this.#readsChecked.set(id, reads.length);
  }

  /** Log matching: where two logs have the same index and term, they are the same up to there. */
  checkLogs(): void {
    const logs = [...this.cluster.members.values()].map(({ storage }) => storage);
    for (const one of logs) {
      for (const other of logs) {
        if (one === other) continue;
        const first = Math.max(one.firstIndex(), other.firstIndex());
        let agreed = false;
        for (let index = Math.min(one.lastIndex(), other.lastIndex()); index >= first; index--) {
          const left = one.entries(index, index + 1, 1)[0] as Entry;
          const right = other.entries(index, index + 1, 1)[0] as Entry;
          if (left.term === right.term) agreed = true;
          if (!agreed) continue;
          same(left.term, right.term, () => `log matching at ${index}`);
          same(textOf(left.data), textOf(right.data), () => `log matching at ${index}`);
        }
      }
    }
  }

  /** Without faults the group finds a leader, commits, and everybody in it gets there. */
  recover(): void {
    const { cluster } = this;
    cluster.heal();
    for (let round = 0; round < 400; round++) {
      const leader = [...cluster.members.values()].find(
        ({ node }) =>
          node.role === 'leader' && isVoter(node.confState, node.id) && node.firstCommitOfTermDone,
      );
      if (leader !== undefined) {
        leader.node.propose([bytesOf('end')]);
        cluster.settle();
        this.check();
        const group = [...cluster.members.values()].filter(({ id }) => isMember(leader.node.confState, id));
        const { lastIndex } = leader.node;
        if (group.every(({ state, node }) => state.index === lastIndex && node.lastIndex === lastIndex))
          return;
      }
      for (const member of cluster.members.values()) {
        const { node } = member;
        // A snapshot has to name the member that needs it, so make a new one, without compacting.
        if (node.role === 'leader' && member.state.index >= member.storage.firstIndex()) member.compact(0);
        // Snapshots that got lost are the host's to report.
        for (const [id, { state }] of node.status().progress) {
          if (state === 'snapshot') node.reportSnapshot(id, false);
        }
        // A leader that was removed or demoted stays until somebody tells it to go.
        if (node.role === 'leader' && !isVoter(node.confState, node.id)) {
          node.transferLeader(this.#pick(node.confState.voters) as RaftId);
        }
      }
      for (const id of cluster.members.keys()) {
        cluster.tick(id);
        cluster.settle();
      }
      this.check();
    }
    const states = [...cluster.members.values()].map(({ node }) => ({
      ...node.status(),
      progress: undefined,
    }));
    throw new Error(`the group did not recover: ${JSON.stringify(states)}`);
  }
}

function run(seed: number, steps: number): World {
  const world = new World(seed);
  for (let step = 0; step < steps; step++) {
    world.act(step > 50);
    if (step % 200 === 0) world.checkLogs();
  }
  world.recover();
  world.checkLogs();
  return world;
}

const [first = 1, last = first] = (globalThis.process.env.FLOTILLA_RAFT_SEEDS ?? '1-60')
  .split('-')
  .map(Number);

test('safety and recovery hold on random schedules (paper, figure 3)', () => {
  const total = { leaders: 0, commits: 0, reads: 0, crashes: 0, changes: 0 };
  for (let seed = first; seed <= last; seed++) {
    let world: World;
    try {
      world = run(seed, 8_000);
    } catch (cause) {
      throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += world.counts[key];
  }
  if (last - first < 50) return;
  // A schedule in which nothing happens proves nothing.
  expect(total.leaders).toBeGreaterThan(300);
  expect(total.commits).toBeGreaterThan(2_000);
  expect(total.reads).toBeGreaterThan(300);
  expect(total.crashes).toBeGreaterThan(200);
  expect(total.changes).toBeGreaterThan(50);
}, 60_000);
