import { groupNameText } from '@flotilla/base';
import type { LogSink } from '@flotilla/ports';
import type { MemoryLogStore, MemoryStateStore } from '@flotilla/storage';
import { replicaOf } from './state-keys.ts';

const NOTHING = new Uint8Array(0);

/**
 * Which replicas of one store its disk may have cost. They may stop for good, which nobody else may; they must not
 * do anything wrong.
 */
export class DiskLosses {
  readonly #groups = new Set<string>();
  /** Of these, what has stopped already. */
  readonly #ended = new Set<string>();

  hasLost(group: string): boolean {
    return this.#groups.has(group);
  }

  /** Everything that the log knows of. */
  loseAll(log: MemoryLogStore): void {
    for (const { group } of log.replicas()) this.#groups.add(groupNameText(group));
  }

  /**
   * Chooses among entries and values of replicas that have not stopped yet. A store that is down reads its whole
   * logs as it opens them; one that runs meets the damage when it reads that entry.
   */
  flipBit(log: MemoryLogStore, state: MemoryStateStore, choice: number, isRunning: boolean): boolean {
    const gone = new Set([...this.#ended, ...log.damaged().map(groupNameText)]);
    const left = log
      .replicas()
      .filter(({ group, removed }) => !removed && !gone.has(groupNameText(group)))
      .map(({ group }) => group);
    const group = left[choice % Math.max(1, left.length)];
    if (group === undefined) return false;
    this.#groups.add(groupNameText(group));
    const { first, last } = log.span(group);
    if (choice % 2 === 0 && last >= first) {
      log.corrupt(group, isRunning ? first + (choice % (last - first + 1)) : undefined);
      return true;
    }
    const name = groupNameText(group);
    const keys: Uint8Array[] = [];
    state.raw.scan(NOTHING, undefined, (key) => {
      const replica = replicaOf(key);
      if (replica !== undefined && groupNameText(replica.group) === name) keys.push(key.slice());
      return true;
    });
    const key = keys[choice % Math.max(1, keys.length)];
    if (key !== undefined) state.corrupt(key);
    return key !== undefined;
  }

  /** The log of the store, in which the end of such a replica is no error. */
  tolerant(sink: LogSink): LogSink {
    return {
      log: (level, event, fields) => {
        const isExpected = event === 'replica-quarantined' && this.hasLost(String(fields.group));
        if (isExpected) this.#ended.add(String(fields.group));
        sink.log(isExpected ? 'warn' : level, event, fields);
      },
    };
  }
}
