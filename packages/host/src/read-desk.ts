import { neverRare, type RareBranches } from '@flotilla/ports';
import type { ReadBatch } from './machine.ts';
import type { LeaseReader } from './reads.ts';
import type { Replica } from './replica.ts';
import type { HostTuning } from './tuning.ts';

/** Batches that may wait in one replica: those that nobody can confirm would gather for ever otherwise. */
const READS_WAITING_MAX = 65_536;

/** Knows which replicas have reads, so that a turn looks at no others. */
export class ReadDesk {
  readonly reader: LeaseReader;
  readonly #tuning: HostTuning;
  readonly #rare: RareBranches;
  readonly #waiting = new Set<Replica>();

  constructor(reader: LeaseReader, tuning: HostTuning, rare: RareBranches = neverRare) {
    this.reader = reader;
    this.#tuning = tuning;
    this.#rare = rare;
  }

  /** The last turn was long enough: some reads could be answered in the next one, unless they have ended since. */
  get hasMore(): boolean {
    return this.#waiting.size > 0 && this.reader.cut;
  }

  /** False if the batch was refused. */
  add(replica: Replica, batch: ReadBatch): boolean {
    if (replica.broken !== undefined) {
      batch.refused({ kind: 'not-leader' });
      return false;
    }
    if (replica.reads.fresh.length >= READS_WAITING_MAX) {
      const what = `group ${replica.group.gid} has too many reads waiting here`;
      batch.refused({ kind: 'overloaded', retryAfterMs: 50, what });
      return false;
    }
    replica.reads.fresh.push(batch);
    this.#waiting.add(replica);
    return true;
  }

  /** The replica takes part in nothing any more. */
  drop(replica: Replica): void {
    replica.reads.refuseAll({ kind: 'not-leader' });
    this.#waiting.delete(replica);
  }

  /** Answers what can be answered. Returns the replicas whose core was asked something. */
  answer(): readonly Replica[] {
    if (this.#waiting.size === 0) return [];
    const replicas = [...this.#waiting];
    const asked = this.reader.run(replicas);
    for (const replica of replicas) if (replica.reads.isIdle) this.#waiting.delete(replica);
    return asked ? replicas : [];
  }

  /** Drops what nobody waits for any more, and repeats questions whose answer may be lost. */
  tick(replica: Replica, now: number): void {
    const { reads } = replica;
    if (reads.isIdle) return;
    reads.dropExpired(now);
    reads.retry(this.#rare.take('read-asked-again') ? now : now - this.#tuning.readRetryMs);
    this.#waiting.add(replica);
  }
}
