import { type Message, MessageKind } from '@flotilla/base';
import { PairTable } from '../pair-table.ts';
import type { Fault } from '../search.ts';
import type { Facts } from './facts.ts';
import type { Harm } from './harm.ts';
import type { Histories, History } from './history.ts';
import { isPrefix, isSameEntry, type NodeMachine } from './node-machine.ts';
import { decideAlike, decides, quorumsMeet } from './quorums.ts';

const NODES = 3;
/** In place of the number of a fault: there is none. */
const NONE = 0;

function fault(what: string, harm: Harm): Fault {
  return { what, harm };
}

/** What must hold between nodes, and between what is and what ever was. */
export class Checks {
  readonly #machine: NodeMachine;
  readonly #histories: Histories;
  readonly #againstHistory = new PairTable();
  readonly #faults: (Fault | undefined)[] = [undefined];

  constructor(machine: NodeMachine, histories: Histories) {
    this.#machine = machine;
    this.#histories = histories;
  }

  /** One step of the node at `at`: what it adds to the history, which is put into `next`, and what is wrong there. */
  step(row: Uint32Array, next: Uint32Array, at: number, historyWord: number): Fault | undefined {
    const before = this.#machine.facts(row[at] as number);
    const after = this.#machine.facts(next[at] as number);
    const changed = withConf(this.#histories.get(row[historyWord] as number), before, after);
    if (changed !== undefined) next[historyWord] = this.#histories.number(changed);
    if (after.role !== 'leader') return undefined;
    const isNew = before.role !== 'leader' || before.term !== after.term;
    const commits = after.committed > before.committed;
    if (!isNew && !commits && before.log.length === after.log.length) return undefined;
    const known = this.#histories.get(next[historyWord] as number);
    const wasLed = isNew && known.led.some(({ term }) => term === after.term);
    let history = wasLed ? known : withLeader(known, after);
    const taken = commits ? extended(history, after) : history;
    history = taken ?? history;
    next[historyWord] = this.#histories.number(history);
    if (wasLed)
      return fault(`node ${after.id} leads term ${after.term}, which was led before`, 'two leaders');
    if (taken === undefined)
      return fault(`node ${after.id} commits what is committed differently`, 'commit lost');
    const lost = this.#missingFrom(next, history, after.term);
    if (lost !== undefined) return lost;
    // Whoever is late in winning an older term cannot decide anything there any more.
    const isLater = after.term > (known.terms[known.confIndex - 1] ?? 0);
    if (isNew && isLater && !quorumsMeet(after.conf, known.conf)) {
      return fault(
        `node ${after.id} leads by a configuration that can decide without the newest`,
        'quorums apart',
      );
    }
    return commits ? this.#unfounded(next, after) : undefined;
  }

  /** All who lead this term or a later one have what was committed before theirs. */
  #missingFrom(row: Uint32Array, history: History, term: number): Fault | undefined {
    for (let at = 0; at < NODES; at++) {
      const facts = this.#machine.facts(row[at] as number);
      if (facts.role !== 'leader' || facts.term < term) continue;
      const lost = missing(history, facts);
      if (lost !== undefined) return lost;
    }
    return undefined;
  }

  /** A leader commits only what a majority has on disk, its own included if it counts. */
  #unfounded(row: Uint32Array, leader: Facts): Fault | undefined {
    const wanted = leader.log.slice(0, leader.committed);
    let holders = 0;
    for (let at = 0; at < NODES; at++) {
      const facts = this.#machine.facts(row[at] as number);
      if (isPrefix(wanted, facts.disk)) holders |= 1 << (facts.id - 1);
    }
    if (decides(holders, leader.conf)) return undefined;
    const { id, committed } = leader;
    return fault(`node ${id} commits index ${committed}, which no majority has on disk`, 'commit unfounded');
  }

  state(row: Uint32Array): Fault | undefined {
    for (let at = 0; at < NODES; at++) {
      const cell = row[at] as number;
      const wrong = this.#historyFault(cell, row[NODES] as number);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  #historyFault(cell: number, number: number): Fault | undefined {
    const known = this.#againstHistory.get(cell, number);
    if (known !== undefined) return this.#faults[known];
    const facts = this.#machine.facts(cell);
    const history = this.#histories.get(number);
    const found = againstHistory(facts, history) ?? strange(facts, history);
    this.#againstHistory.set(cell, number, this.#faultNumber(found));
    return found;
  }

  #faultNumber(found: Fault | undefined): number {
    if (found === undefined) return NONE;
    this.#faults.push(found);
    return this.#faults.length - 1;
  }

  /**
   * True if a message can never again mean anything to the node, whatever comes. A term that is on its disk is never
   * left again; one that only the core knows may be lost in a crash.
   */
  isOver(facts: Facts, { kind, term, from, index }: Message, mayCrash: boolean): boolean {
    const { refusals, forgets, changes, checkQuorum } = this.#machine.bounds;
    const safeTerm = mayCrash ? facts.diskTerm : facts.term;
    if (term < safeTerm) return true;
    if (term > safeTerm || safeTerm !== facts.term) return false;
    // Answers are for a candidate or a leader of their term, and a term is campaigned in once.
    if (kind === MessageKind.voteResp) return facts.role !== 'candidate';
    if (kind === MessageKind.appResp) {
      // About what is known to match, where nobody comes back as another member and nobody counts who is awake.
      if (changes === 0 && !checkQuorum && index < (facts.matches[from - 1] as number)) return true;
    }
    if (kind === MessageKind.appResp || kind === MessageKind.heartbeatResp) {
      return facts.role !== 'candidate' && facts.role !== 'leader';
    }
    if (kind !== MessageKind.vote || refusals) return false;
    const vote = mayCrash ? facts.diskVote : facts.vote;
    // The same vote again is news if the candidate asks again after a crash, for a shorter log; not if it has led.
    if (vote === from) return facts.leaderId === from;
    // Only a refusal can come of it, and that is lost.
    if (vote !== 0) return true;
    return facts.leaderId !== 0 && !mayCrash && !forgets;
  }

  /** An append of this term that begins before what is committed is answered with the commit index, whatever it says. */
  isSettled(facts: Facts, { kind, term, index }: Message, mayCrash: boolean): boolean {
    return kind === MessageKind.app && !mayCrash && term === facts.term && index < facts.committed;
  }
}

/** Whoever leads a later term has what was committed in earlier ones. */
function missing(history: History, leader: Facts): Fault | undefined {
  const { id, term, log } = leader;
  for (const [at, entry] of history.committed.entries()) {
    if ((history.terms[at] as number) >= term) continue;
    const own = log[at];
    if (own !== undefined && isSameEntry(own, entry)) continue;
    return fault(
      `node ${id} leads term ${term} without index ${at + 1}, which was committed before`,
      'commit lost',
    );
  }
  return undefined;
}

/** The history with what a leader commits; undefined if that contradicts it. */
function extended(history: History, leader: Facts): History | undefined {
  const now = leader.log.slice(0, leader.committed);
  const { committed, terms } = history;
  if (!isPrefix(now, committed) && !isPrefix(committed, now)) return undefined;
  if (now.length <= committed.length) return history;
  const added = now.slice(committed.length);
  return { ...history, committed: now, terms: [...terms, ...added.map(() => leader.term)] };
}

/** A node commits, and so applies, what a leader committed. */
function againstHistory(facts: Facts, history: History): Fault | undefined {
  const now = facts.log.slice(0, facts.committed);
  if (now.length === facts.committed && isPrefix(now, history.committed)) return undefined;
  const { id, committed } = facts;
  if (isPrefix(history.committed, now)) {
    return fault(
      `node ${id} takes index ${committed} for committed, and no leader committed it`,
      'commit unfounded',
    );
  }
  return fault(`node ${id} takes something else for committed than was committed`, 'commit lost');
}

/** What a log has of a term is what the leader of that term had, and so is all before it. */
function strange(facts: Facts, { led }: History): Fault | undefined {
  for (const log of [facts.log, facts.disk]) {
    for (const [at, { term }] of log.entries()) {
      if (log[at + 1]?.term === term) continue;
      const leader = led.find((each) => each.term === term);
      if (leader !== undefined && isPrefix(log.slice(0, at + 1), leader.log)) continue;
      return fault(
        `the log of node ${facts.id} up to index ${at + 1} differs from that of the leader of term ${term}`,
        'logs differ',
      );
    }
  }
  return undefined;
}

/** The history with the configuration that a node applied, if nobody was as far yet; undefined if it stays as it is. */
function withConf(history: History, before: Facts, { applied, appliedIndex }: Facts): History | undefined {
  if (appliedIndex <= history.confIndex || decideAlike(applied, before.applied)) return undefined;
  return { ...history, conf: applied, confIndex: appliedIndex };
}

/** The history with all that a leader has in its log. */
function withLeader(history: History, { term, log }: Facts): History {
  const others = history.led.filter((each) => each.term !== term);
  const led = [...others, { term, log }].sort((left, right) => left.term - right.term);
  return { ...history, led };
}
