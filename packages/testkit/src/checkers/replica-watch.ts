import { type Entry, type HardState, type Message, MessageKind } from '@flotilla/base';
import type { LogWrite } from '@flotilla/ports';
import type { GroupWatch } from './group-watch.ts';
import { LogMirror } from './log-mirror.ts';

/** What a store can show of one replica after a restart. */
export interface SurvivingLog {
  readonly start: { readonly index: number; readonly term: number };
  readonly hardState: HardState | undefined;
  /** Entries after the start. */
  readonly entries: readonly Entry[];
  /** The replica is a tombstone. */
  readonly removed: boolean;
}

interface Unsynced {
  readonly write: LogWrite;
  readonly commit: number;
}

/**
 * One replica, seen from its disk and its wire. Its log is mirrored twice, as written and as durable; what it
 * sends is compared with what is durable at that moment:
 *
 * - a vote is granted only after term and vote are durable, an append acknowledged only after the entries;
 * - who acts as leader of a term has made that term durable;
 * - term and commit index never fall, a vote within a term never changes;
 * - an entry that was applied anywhere is never replaced in a log that held it, and a leader replaces none of its own;
 * - a log is compacted only up to what the durable state contains.
 */
export class ReplicaWatch {
  readonly store: string;
  readonly raftId: number;
  readonly name: string;
  readonly group: GroupWatch;
  written: LogMirror = new LogMirror();
  durable: LogMirror = new LogMirror();
  /** Applied in this life, and in the state that is durable. */
  applied = 0;
  durableApplied = 0;
  voters = 1;
  readonly #unsynced: Unsynced[] = [];
  #isDurable = false;
  /** What was durable as the replica was removed: it counted for what was committed then. */
  #buried: LogMirror | undefined;

  constructor(group: GroupWatch, store: string, raftId: number) {
    this.group = group;
    this.store = store;
    this.raftId = raftId;
    this.name = `${group.name}/${raftId}@${store}`;
  }

  get groupName(): string {
    return this.group.name;
  }

  words(): string {
    const { written, durable } = this;
    return (
      `${this.name}: term ${written.term}, vote ${written.vote}, commit ${written.commit}, log ${written.startIndex + 1} to ` +
      `${written.last} (term ${written.termAt(written.last)}), durable to ${durable.last} in term ${durable.term}, ` +
      `applied ${this.applied}`
    );
  }

  /** The store was told to make this write durable, with its commit of that number. */
  writes(write: LogWrite, commit: number): void {
    this.#check(write);
    mirror(this.written, write);
    if (write.replica !== undefined) {
      const { start } = write.replica;
      this.voters = Math.max(1, start.confState.voters.length);
      this.applied = Math.max(this.applied, start.index);
    }
    if (write.entries !== undefined && write.entries.length > 0) {
      const first = write.entries[0] as Entry;
      this.group.holds(this, write.entries, this.written.termAt(first.index - 1) ?? 0);
    }
    this.#unsynced.push({ write, commit });
  }

  /** Commits up to that number are durable. */
  synced(commit: number): void {
    while (this.#unsynced[0] !== undefined && this.#unsynced[0].commit <= commit) {
      const { write } = this.#unsynced.shift() as Unsynced;
      if (write.replica?.removed === true) this.#isBuried();
      mirror(this.durable, write);
      // A snapshot: its state was made durable before the log may point at it.
      if (write.replica !== undefined) {
        this.#isDurable = true;
        this.stateSynced(write.replica.start.index);
      }
    }
  }

  /** Its tombstone is durable: nothing of its log and its state has to be there any more. */
  #isBuried(): void {
    this.#buried = this.durable.copy();
    this.applied = 0;
    this.durableApplied = 0;
  }

  /** After a crash or a power cut: what was durable must be there, and of later commits whole ones, in order. */
  reopened(log: SurvivingLog): void {
    const found = new LogMirror();
    found.restart(log.start.index, log.start.term);
    found.write(
      log.start.index + 1,
      log.entries.map((entry) => entry.term),
    );
    found.term = log.hardState?.term ?? 0;
    found.vote = log.hardState?.vote ?? 0;
    found.commit = log.hardState?.commit ?? 0;
    this.#checkSurvivor(found);
    // The store died between writing the tombstone and hearing that it is durable.
    if (log.removed && this.#buried === undefined) this.#isBuried();
    this.#isDurable = true;
    this.#unsynced.length = 0;
    this.written = found;
    this.durable = found.copy();
    if (log.entries.length > 0) this.group.holds(this, log.entries, log.start.term);
    this.applied = log.start.index;
  }

  /** After {@link reopened}: the state that survived contains everything up to this index. */
  restartsFrom(applied: number): void {
    if (applied < this.durableApplied) {
      this.group.fail(
        'durability',
        `${this.name} lost its state after ${applied}, durable was ${this.durableApplied}`,
      );
    }
    this.applied = applied;
    this.durableApplied = applied;
  }

  stateSynced(applied: number): void {
    // A state commit that was under way as the tombstone became durable: that state goes all the same.
    if (this.#buried !== undefined) return;
    this.durableApplied = Math.max(this.durableApplied, applied);
  }

  /** After a crash or a power cut its store knows nothing of it: then its creation was not durable. */
  isGone(): void {
    if (this.#isDurable) this.group.fail('durability', `${this.name} was durable and is not there any more`);
    this.#unsynced.length = 0;
    this.written = new LogMirror();
    this.durable = new LogMirror();
    this.applied = 0;
  }

  /** Its disk was lost, or is not to be trusted any more: what it had counted until then. */
  isLost(): void {
    this.#buried ??= this.durable.copy();
    this.#isDurable = false;
    this.isGone();
  }

  /** What its state had made durable may be gone; its log is there. */
  stateIsLost(): void {
    this.durableApplied = 0;
  }

  #checkSurvivor(found: LogMirror): void {
    const expected = this.durable.copy();
    let isKnown = found.equals(expected);
    this.#unsynced.forEach(({ write, commit }, at) => {
      mirror(expected, write);
      const isWhole = this.#unsynced[at + 1]?.commit !== commit;
      if (isWhole && expected.equals(found)) isKnown = true;
    });
    if (isKnown) return;
    this.group.fail(
      'durability',
      `${this.name} came back with entries to ${found.last}, term ${found.term} and vote ${found.vote}, which is ` +
        `neither what was durable (${this.durable.last}, ${this.durable.term}, ${this.durable.vote}) nor that and ` +
        `a part of the ${this.#unsynced.length} writes that followed`,
    );
  }

  hasDurable(index: number, term: number): boolean {
    const log = this.#buried ?? this.durable;
    return index < log.startIndex || log.termAt(index) === term;
  }

  /** Its state machine has everything up to this entry. */
  appliesTo(index: number): void {
    for (let next = this.applied + 1; next <= index; next++) {
      const term = this.written.termAt(next);
      // What came with a snapshot was applied by its sender.
      if (term === undefined || next <= this.written.startIndex) continue;
      this.group.applies(this, next, term);
    }
    if (index < this.applied) {
      this.group.fail(
        'state-machine safety',
        `${this.name} went back from applied ${this.applied} to ${index}`,
      );
    }
    this.applied = index;
  }

  /** It hands this message to the transport. */
  sends(message: Message): void {
    const { durable } = this;
    switch (message.kind) {
      case MessageKind.app:
      case MessageKind.snap:
      case MessageKind.heartbeat:
      case MessageKind.timeoutNow:
        this.leads(message.term);
        if (message.commit > 0) this.group.announces(this, message.commit);
        return;
      case MessageKind.voteResp:
        if (message.reject) return;
        if (durable.term > message.term || (durable.term === message.term && durable.vote === message.to))
          return;
        this.group.fail(
          'durable before sent',
          `${this.name} granted its vote of term ${message.term} to ${message.to}, durable are term ${durable.term} and vote ${durable.vote}`,
        );
        return;
      case MessageKind.appResp:
        if (message.reject) return;
        if (durable.term >= message.term && durable.last >= message.index) return;
        this.group.fail(
          'durable before sent',
          `${this.name} acknowledged entry ${message.index} in term ${message.term}, durable are ${durable.last} entries and term ${durable.term}`,
        );
        return;
      default:
        return;
    }
  }

  leads(term: number): void {
    if (this.durable.term < term) {
      this.group.fail(
        'durable before sent',
        `${this.name} acts as leader of term ${term} while term ${this.durable.term} is durable`,
      );
    }
    this.group.leads(this, term);
  }

  #check(write: LogWrite): void {
    const { written } = this;
    const group = this.group;
    if (write.hardState !== undefined && write.replica === undefined) {
      const { term, vote, commit } = write.hardState;
      if (term < written.term)
        group.fail('monotone', `${this.name} falls from term ${written.term} to ${term}`);
      if (term === written.term && written.vote !== 0 && vote !== written.vote) {
        group.fail(
          'monotone',
          `${this.name} changes its vote of term ${term} from ${written.vote} to ${vote}`,
        );
      }
      if (commit < written.commit) {
        group.fail('monotone', `${this.name} falls from commit index ${written.commit} to ${commit}`);
      }
    }
    if (this.#buried !== undefined && write.replica?.removed === false) {
      group.fail(
        'replica identity',
        `${this.name} is made again after it was removed, or lost with its disk`,
      );
    }
    if (write.replica !== undefined && !write.replica.removed && write.replica.start.index < this.applied) {
      const { index } = write.replica.start;
      group.fail(
        'replica identity',
        `${this.name} begins anew at ${index}, after it has applied ${this.applied}`,
      );
    }
    if (write.compactTo !== undefined && write.compactTo > this.durableApplied) {
      group.fail(
        'durability',
        `${this.name} drops its log up to ${write.compactTo}, and its durable state ends at ${this.durableApplied}`,
      );
    }
    const first = write.replica === undefined ? write.entries?.[0]?.index : undefined;
    const term = write.hardState?.term ?? written.term;
    if (first !== undefined && first <= written.last && group.leaderOf(term) === this.name) {
      group.fail(
        'leader append-only',
        `${this.name} leads term ${term} and writes entry ${first} into its log, which ends at ${written.last}`,
      );
    }
    for (const entry of write.replica === undefined ? (write.entries ?? []) : []) {
      const old = written.termAt(entry.index);
      if (old === undefined) break;
      if (old === entry.term || !group.isApplied(entry.index, old)) continue;
      group.fail(
        'committed is never lost',
        `${this.name} replaces entry ${entry.index} of term ${old}, which was applied, by one of term ${entry.term}`,
      );
    }
  }
}

function mirror(log: LogMirror, write: LogWrite): void {
  if (write.replica !== undefined) {
    log.restart(write.replica.start.index, write.replica.start.term);
    if (write.replica.removed) log.forgetVote();
  }
  const first = write.entries?.[0];
  if (write.entries !== undefined && first !== undefined) {
    log.write(
      first.index,
      write.entries.map((entry) => entry.term),
    );
  }
  if (write.compactTo !== undefined) log.compact(write.compactTo);
  if (write.hardState !== undefined) {
    log.term = write.hardState.term;
    log.vote = write.hardState.vote;
    log.commit = write.hardState.commit;
  }
}
