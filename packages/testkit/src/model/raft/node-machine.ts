import { assert, type Entry, type Message, MessageKind, type RaftId } from '@flotilla/base';
import type { ConfChange } from '@flotilla/raft';
import { Interner } from '../interner.ts';
import { PairTable } from '../pair-table.ts';
import type { Fault } from '../search.ts';
import { type Bounds, foundedConf } from './bounds.ts';
import { bytesOf, IDENTITY, type Renaming } from './codec.ts';
import { type Facts, factsOf } from './facts.ts';
import type { Harm } from './harm.ts';
import { InputKind } from './input.ts';
import { MessageSets } from './message-sets.ts';
import { quorumsMeet } from './quorums.ts';
import { Replica } from './replica.ts';

/** What an input makes of a node. */
export interface Outcome {
  /** The same cell if nothing happened, or the bounds do not let it. */
  readonly cell: number;
  /** Sets of messages, by receiver. */
  readonly sent: readonly number[];
  /** Something that was on disk is not there any more. */
  readonly cutsDisk: boolean;
  readonly fault: Fault | undefined;
}

const TERM_RANK = 40;
const ROLE_RANK = 5;
const FOLLOWING_RANK = 3;
const ROLE_RANKS = { follower: 0, 'pre-candidate': 1, candidate: 1, leader: 2 } as const;

/** Every so many runs of the core one is repeated with the nodes renamed. */
const RENAMED_EACH = 64;
const RENAMED: Renaming = [2, 3, 1];

const DATA = Uint8Array.of(120);

function fault(what: string, harm: Harm): Fault {
  return { what, harm };
}

/**
 * Nodes and what they do, as numbers: a cell is one node with its disk and its queues. The real core is run once
 * for each cell and input; from then on the outcome is known.
 */
export class NodeMachine {
  readonly bounds: Bounds;
  readonly sets: MessageSets = new MessageSets();
  readonly #cells = new Interner();
  readonly #facts: Facts[] = [];
  readonly #known = new PairTable();
  readonly #outcomes: Outcome[] = [];

  constructor(bounds: Bounds) {
    this.bounds = bounds;
  }

  get cells(): number {
    return this.#cells.size;
  }

  get runs(): number {
    return this.#outcomes.length;
  }

  begin(id: RaftId): number {
    const replica = new Replica(id, this.bounds, foundedConf(this.bounds));
    replica.settle();
    return this.#cells.number(replica.freeze(IDENTITY));
  }

  replica(cell: number): Replica {
    return Replica.thaw(this.#cells.bytes(cell), this.bounds);
  }

  facts(cell: number): Facts {
    const known = this.#facts[cell];
    if (known !== undefined) return known;
    const facts = factsOf(this.replica(cell));
    this.#facts[cell] = facts;
    return facts;
  }

  /** How far a node has come: grows with almost everything that happens to it. */
  rank(cell: number): number {
    const { core, disk, writes } = this.replica(cell);
    const { log, tracker } = core;
    let rank = TERM_RANK * core.term + ROLE_RANK * ROLE_RANKS[core.role] + disk.term + disk.entries.length;
    rank += log.lastIndex + log.$committed + tracker.$votes.size - writes.length;
    if (core.leaderId !== 0 && core.role === 'follower') rank += ROLE_RANK * FOLLOWING_RANK;
    if (core.vote !== 0) rank++;
    if (core.role === 'leader')
      for (const { match, sentCommit } of tracker.members) rank += match + sentCommit;
    return Math.max(0, rank);
  }

  rename(cell: number, renaming: Renaming): number {
    return this.#cells.number(this.replica(cell).freeze(renaming));
  }

  outcome(cell: number, input: number): Outcome {
    const known = this.#known.get(cell, input);
    if (known !== undefined) return this.#outcomes[known] as Outcome;
    const outcome = this.#run(cell, input);
    if (this.#outcomes.length % RENAMED_EACH === 0) this.#checkRenaming(cell, input, outcome);
    this.#known.set(cell, input, this.#outcomes.length);
    this.#outcomes.push(outcome);
    return outcome;
  }

  /** Nodes differ only by name: with other names the same comes of it. A field that is not renamed is found here. */
  #checkRenaming(cell: number, input: number, { cell: next, fault: wrong }: Outcome): void {
    const isChange = input >= InputKind.change && input < InputKind.message;
    if (isChange || wrong !== undefined) return;
    const isMessage = input >= InputKind.message;
    const other = isMessage
      ? InputKind.message + this.sets.renamed(input - InputKind.message, RENAMED)
      : input;
    const outcome = this.#run(this.rename(cell, RENAMED), other);
    assert(outcome.cell === this.rename(next, RENAMED), 'a node does not depend on its name');
  }

  #run(cell: number, input: number): Outcome {
    const stays: Outcome = { cell, sent: [], cutsDisk: false, fault: undefined };
    const replica = this.replica(cell);
    const before = this.facts(cell);
    let result = 'ok';
    try {
      if (!this.#may(replica, input)) return stays;
      result = this.#give(replica, input) ?? 'ok';
      replica.settle();
    } catch (error) {
      return { ...stays, fault: fault(`node ${replica.id}: ${(error as Error).message}`, 'core stops') };
    }
    if (result === 'inconsistent' || result === 'malformed') {
      return { ...stays, fault: fault(`node ${replica.id} calls a message ${result}`, 'core stops') };
    }
    if (replica.writes.length > this.bounds.writesMax) return stays;
    const next = this.#cells.number(replica.freeze(IDENTITY));
    const isCrash = input === InputKind.crashKeeping || input === InputKind.crashLosing;
    return {
      cell: next,
      sent: this.#send(replica.sent),
      cutsDisk: !isPrefix(before.disk, this.facts(next).disk),
      fault: promiseFault(replica) ?? stepFault(before, this.facts(next), isCrash) ?? applyFault(replica),
    };
  }

  #send(messages: readonly Message[]): readonly number[] {
    if (messages.length === 0) return [];
    return [1, 2, 3].map((id) =>
      this.sets.of(
        messages.filter(({ to }) => to === id).map((message) => this.sets.number(bytesOf(message, IDENTITY))),
      ),
    );
  }

  /** What makes sense in this state, and is within the bounds. */
  #may(replica: Replica, input: number): boolean {
    const { role, term, leaderId } = replica.core;
    const isLeader = role === 'leader';
    switch (input) {
      case InputKind.campaign:
        return !isLeader && term < this.bounds.terms;
      case InputKind.propose:
      case InputKind.beat:
        return isLeader;
      case InputKind.write:
        return replica.writes.length > 0;
      case InputKind.apply:
        return replica.applies.length > 0;
      case InputKind.forget:
        return !isLeader && leaderId !== 0;
      case InputKind.electionTime:
        return this.bounds.checkQuorum && (isLeader || leaderId !== 0);
      default:
        return (
          input >= InputKind.message ||
          input < InputKind.change ||
          (isLeader && this.#isUseful(replica, input))
        );
    }
  }

  change(input: number): ConfChange {
    return this.bounds.offered[input - InputKind.change] as ConfChange;
  }

  /** The change would make a difference. */
  #isUseful(replica: Replica, input: number): boolean {
    const { voters, learners } = replica.core.tracker.conf;
    return this.change(input).changes.every(({ kind, id }) => {
      const isVoter = voters.includes(id);
      if (kind === 'add-voter') return !isVoter;
      return kind === 'remove' ? isVoter || learners.includes(id) : !learners.includes(id);
    });
  }

  #give(replica: Replica, input: number): string | undefined {
    switch (input) {
      case InputKind.campaign:
        replica.node.campaign();
        return undefined;
      case InputKind.propose:
        replica.propose(DATA);
        return undefined;
      case InputKind.write:
        return replica.write();
      case InputKind.apply:
        replica.apply();
        return undefined;
      case InputKind.beat:
        replica.beat();
        return undefined;
      case InputKind.crashKeeping:
      case InputKind.crashLosing:
        replica.crash(input === InputKind.crashKeeping);
        return undefined;
      case InputKind.forget:
        replica.node.forgetLeader();
        return undefined;
      case InputKind.electionTime:
        replica.electionTimePasses();
        return undefined;
    }
    if (input < InputKind.message) {
      replica.change(this.change(input));
      return undefined;
    }
    return replica.deliver(this.sets.message(input - InputKind.message));
  }
}

/** A vote, an acknowledgement or an order of a leader that claims more than the disk below it holds. */
function promiseFault(replica: Replica): Fault | undefined {
  const { term, vote, entries } = replica.disk;
  for (const message of replica.sent) {
    const { kind, to, index, reject } = message;
    const isAhead =
      kind === MessageKind.voteResp && !reject
        ? term < message.term || (term === message.term && vote !== to)
        : kind === MessageKind.appResp && !reject
          ? term < message.term || entries.length < index
          : (kind === MessageKind.app || kind === MessageKind.heartbeat) && term < message.term;
    if (!isAhead) continue;
    const what =
      kind === MessageKind.voteResp
        ? 'a vote'
        : kind === MessageKind.appResp
          ? 'an acknowledgement'
          : 'an order';
    return fault(
      `node ${replica.id} sends ${what} of term ${message.term} that its disk does not know`,
      'ahead of the disk',
    );
  }
  return undefined;
}

/** What must not be so about one step of one node. */
function stepFault(before: Facts, after: Facts, isCrash: boolean): Fault | undefined {
  const who = `node ${after.id}`;
  const back = (what: string): Fault => fault(`${who}: ${what} goes back`, 'went back');
  if (after.diskTerm < before.diskTerm) return back('the term on disk');
  if (after.diskTerm === before.diskTerm && before.diskVote !== 0 && after.diskVote !== before.diskVote) {
    return back('the vote on disk');
  }
  if (!isCrash) {
    if (after.term < before.term) return back('the term');
    if (after.term === before.term && before.vote !== 0 && after.vote !== before.vote)
      return back('the vote');
    if (after.committed < before.committed) return back('the commit index');
    if (before.role === 'leader' && after.role === 'leader' && before.term === after.term) {
      if (!isPrefix(before.log, after.log)) return back('the log of a leader');
    }
  }
  return undefined;
}

/** Each configuration shares a node with every majority of the one before. */
function applyFault({ id, applied, disk }: Replica): Fault | undefined {
  for (const [at, conf] of applied.entries()) {
    if (quorumsMeet(conf, applied[at + 1] ?? disk.conf)) continue;
    return fault(
      `node ${id} applies a configuration that can decide without the one before`,
      'quorums apart',
    );
  }
  return undefined;
}

export function isSameEntry(left: Entry, right: Entry): boolean {
  return (
    left.term === right.term &&
    left.kind === right.kind &&
    left.data.length === right.data.length &&
    left.data.every((byte, at) => byte === right.data[at])
  );
}

export function isPrefix(shorter: readonly Entry[], longer: readonly Entry[]): boolean {
  return shorter.every((entry, at) => {
    const other = longer[at];
    return other !== undefined && isSameEntry(entry, other);
  });
}
