import type { Host, Replica } from '@flotilla/host';
import { DataGroup } from '@flotilla/kv';
import { neverRare, type RareBranches } from '@flotilla/ports';
import { stampEntry } from '@flotilla/wire';
import { QuietProposal } from '../controller-proposal.ts';

const PERIOD_MS = 1_000;

export interface UpkeepOptions {
  readonly host: Host;
  readonly now: () => number;
  readonly nowStamp: () => number;
  readonly stampFor: (replica: Replica) => number;
  readonly rare?: RareBranches | undefined;
}

/**
 * What expired is removed by entries, so that all replicas lose the same. A leader proposes at most one such
 * entry a second and group, and none while nothing is due.
 */
export class UpkeepDriver {
  readonly #options: UpkeepOptions;
  readonly #open = new Set<number>();
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  tick(): void {
    const now = this.#options.now();
    const { rare = neverRare } = this.#options;
    if (now - this.#lastAt < PERIOD_MS && !rare.take('upkeep-early')) return;
    this.#lastAt = now;
    for (const replica of this.#options.host.replicas()) {
      const { machine, group } = replica;
      if (!replica.isServing || replica.broken !== undefined || !(machine instanceof DataGroup)) continue;
      if (this.#open.has(group.gid)) continue;
      const entry = this.#entryOf(replica, machine);
      if (entry === undefined) continue;
      this.#open.add(group.gid);
      const prepare = (data: Uint8Array): void => stampEntry(data, this.#options.stampFor(replica));
      const settled = (): void => {
        this.#open.delete(group.gid);
      };
      this.#options.host.propose(replica, new QuietProposal(entry, prepare, settled));
    }
  }

  /** Looks at what is stored, which may prove damaged: then this replica stops, and nothing else. */
  #entryOf(replica: Replica, machine: DataGroup): Uint8Array | undefined {
    let entry: Uint8Array | undefined;
    this.#options.host.attempt(replica, () => {
      const stamp = Math.max(this.#options.nowStamp(), machine.lastStamp);
      const dueAt = machine.dueAt();
      if (dueAt !== undefined && dueAt <= stamp) entry = machine.timeEntry(stamp);
    });
    return entry;
  }
}
