import { type Entry, type GroupName, groupNameText } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import { CheckFailure } from './failure.ts';
import type { ReplicaWatch } from './replica-watch.ts';

/** One entry as it was ever seen in this group: its hash includes everything before it. */
interface Seen {
  readonly term: number;
  readonly high: number;
  readonly low: number;
  readonly by: string;
}

interface Applied {
  readonly term: number;
  readonly by: string;
}

interface Digest {
  readonly high: number;
  readonly low: number;
  readonly by: string;
}

/**
 * What is true of a Raft group as a whole, whoever tells it:
 *
 * - election safety: one leader per term;
 * - log matching: an index and a term name one entry and, with it, everything before it (a chain of hashes);
 * - state-machine safety: one entry per applied index, and one state after it, over all replicas and restarts;
 * - leader completeness: a leader of a later term has every entry that was applied;
 * - durability: an entry that somebody applies, or that its leader calls committed, is durable on a majority of
 *   the voters.
 */
export class GroupWatch {
  readonly group: GroupName;
  readonly name: string;
  readonly replicas: Map<number, ReplicaWatch> = new Map();
  readonly #hasher: Hasher;
  readonly #leaders = new Map<number, string>();
  readonly #seen: (Seen[] | undefined)[] = [];
  readonly #applied: (Applied | undefined)[] = [];
  readonly #digests = new Map<number, Digest>();
  /** Highest index applied anywhere, and the highest term in which that was known. */
  committed = 0;
  #committedTerm = 0;
  /** Highest index that a leader called committed. */
  #announced = 0;
  elections = 0;

  constructor(group: GroupName, hasher: Hasher) {
    this.group = group;
    this.name = groupNameText(group);
    this.#hasher = hasher;
  }

  fail(rule: string, message: string): never {
    throw new CheckFailure(rule, `group ${this.name}: ${message}`, [
      ...[...this.replicas.values()].map((replica) => replica.words()),
    ]);
  }

  /** This replica acts as leader of that term. */
  leads(replica: ReplicaWatch, term: number): void {
    const known = this.#leaders.get(term);
    if (known === replica.name) return;
    if (known !== undefined)
      this.fail('election safety', `${known} and ${replica.name} both lead term ${term}`);
    this.#leaders.set(term, replica.name);
    this.elections++;
    // A leader that won an older term, and notices late, need not know what later ones committed.
    if (this.committed === 0 || this.#committedTerm >= term) return;
    const applied = this.#applied[this.committed] as Applied;
    const log = replica.written;
    if (this.committed < log.startIndex) return;
    const own = log.termAt(this.committed);
    if (own === applied.term) return;
    const has = own === undefined ? `ends at ${log.last}` : `has term ${own} there`;
    const story = `entry ${this.committed} of term ${applied.term}, applied by ${applied.by}, is not in the log of`;
    this.fail('leader completeness', `${story} ${replica.name}, which leads term ${term}: it ${has}`);
  }

  /** A replica holds these entries now, in a log in which `previousTerm` stands right before them. */
  holds(replica: ReplicaWatch, entries: readonly Entry[], previousTerm: number): void {
    const first = entries[0] as Entry;
    let before = this.#find(first.index - 1, previousTerm);
    if (before === undefined && first.index > 1) {
      this.fail(
        'log matching',
        `${replica.name} holds entry ${first.index} after one of term ${previousTerm} that nobody ever had`,
      );
    }
    for (const entry of entries) {
      this.#hasher.hash(entry.data);
      const high = chain(before?.high ?? 1, this.#hasher.high, entry.term, entry.kind);
      const low = chain(before?.low ?? 2, this.#hasher.low, entry.index, entry.data.length);
      const known = this.#find(entry.index, entry.term);
      if (known === undefined) {
        before = { term: entry.term, high, low, by: replica.name };
        const at = this.#seen[entry.index];
        if (at === undefined) this.#seen[entry.index] = [before];
        else at.push(before);
        continue;
      }
      if (known.high !== high || known.low !== low) {
        this.fail(
          'log matching',
          `entry ${entry.index} of term ${entry.term}, or one before it, differs between ${known.by} and ${replica.name}`,
        );
      }
      before = known;
    }
  }

  /** A replica applied the entry that its log has at `index`. */
  applies(replica: ReplicaWatch, index: number, term: number): void {
    const known = this.#applied[index];
    if (known !== undefined) {
      if (known.term === term) return;
      this.fail(
        'state-machine safety',
        `entry ${index} was applied with term ${known.term} by ${known.by} and with term ${term} by ${replica.name}`,
      );
    }
    this.#applied[index] = { term, by: replica.name };
    this.committed = Math.max(this.committed, index);
    this.#committedTerm = Math.max(this.#committedTerm, replica.written.term, term);
    this.#mustBeDurable(replica, index, term, 'was applied');
  }

  /** Its leader tells others that this entry is committed. */
  announces(replica: ReplicaWatch, index: number): void {
    if (index <= this.#announced) return;
    const { written } = replica;
    // Others may be faster than its own disk. Which entry it speaks of is seen when it has handed that out.
    if (index > written.last) return;
    const term = written.termAt(index);
    // What it knows by a snapshot was applied by somebody.
    if (term !== undefined && index > written.startIndex && !this.isApplied(index, term)) {
      this.#mustBeDurable(replica, index, term, 'was called committed');
    }
    this.#announced = index;
  }

  #mustBeDurable(replica: ReplicaWatch, index: number, term: number, what: string): void {
    let durable = 0;
    for (const other of this.replicas.values()) if (other.hasDurable(index, term)) durable++;
    const voters = replica.voters;
    if (durable * 2 > voters) return;
    this.fail(
      'durability',
      `entry ${index} of term ${term} ${what} by ${replica.name} while durable on ${durable} of ${voters} replicas`,
    );
  }

  /** Whoever was seen to lead that term. */
  leaderOf(term: number): string | undefined {
    return this.#leaders.get(term);
  }

  /** The state of a replica right after `index` was applied, as a digest of all its keys and values. */
  isAt(replica: ReplicaWatch, index: number, high: number, low: number): void {
    const known = this.#digests.get(index);
    if (known === undefined) {
      this.#digests.set(index, { high, low, by: replica.name });
      return;
    }
    if (known.high === high && known.low === low) return;
    this.fail(
      'state-machine safety',
      `after entry ${index} the states of ${known.by} and ${replica.name} differ`,
    );
  }

  isApplied(index: number, term: number): boolean {
    return this.#applied[index]?.term === term;
  }

  #find(index: number, term: number): Seen | undefined {
    const at = this.#seen[index];
    if (at === undefined) return undefined;
    for (const seen of at) if (seen.term === term) return seen;
    return undefined;
  }
}

function chain(before: number, a: number, b: number, c: number): number {
  let mixed = Math.imul(before ^ a, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ b, 0x85ebca77);
  mixed = Math.imul(mixed ^ (mixed >>> 13) ^ c, 0xc2b2ae3d);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
