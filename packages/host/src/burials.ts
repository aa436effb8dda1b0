import {
  CorruptionError,
  type GroupName,
  groupNameText,
  must,
  prefixEnd,
  type RaftId,
  sameGroup,
} from '@flotilla/base';
import type { ReplicaRecord } from '@flotilla/ports';
import type { HostPorts } from './host-ports.ts';
import { groupPrefix } from './layout.ts';

/**
 * Replicas on their way out. First the tombstone, then the state: after a crash in between, the next start gives
 * the state up; the other way round a log would be left that points at nothing, which looks like damage.
 */
export class Burials {
  readonly #ports: HostPorts;
  readonly #failed: (what: string, cause: Error) => void;
  /** Groups whose tombstone is not durable yet, and who waits for that. */
  readonly #open = new Map<number, { readonly group: GroupName; readonly waiting: (() => void)[] }>();
  #stopped = false;

  constructor(ports: HostPorts, failed: (what: string, cause: Error) => void) {
    this.#ports = ports;
    this.#failed = failed;
  }

  stop(): void {
    this.#stopped = true;
  }

  has(gid: number): boolean {
    return this.#open.has(gid);
  }

  /** Nobody writes anything of this replica any more. */
  begin(group: GroupName, raftId: RaftId): void {
    this.#open.set(group.gid, { group, waiting: [] });
    const confState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    const tombstone: ReplicaRecord = {
      group,
      // Where not even the record can be read any id will do: no replica of this group is made here again.
      raftId: Math.max(raftId, 1),
      generation: 0,
      start: { index: 0, term: 0, confState },
      removed: true,
    };
    this.#ports.logStore.commit([{ group, replica: tombstone }], (failure) => {
      if (this.#stopped) return;
      if (failure === undefined) this.#end(group);
      else this.#failed(`the tombstone of group ${groupNameText(group)} could not be written`, failure);
    });
  }

  /** At once for a group of which nothing is here but its tombstone, or not even that. */
  whenOver(group: GroupName, done: () => void): void {
    const open = this.#open.get(group.gid);
    if (open !== undefined && sameGroup(open.group, group)) open.waiting.push(done);
    else done();
  }

  #end(group: GroupName): void {
    const { waiting } = must(this.#open.get(group.gid), 'a burial ends once');
    this.#open.delete(group.gid);
    this.releaseRemains(group);
    // A range is released behind the transaction that is open now, which nobody else may ever end.
    this.#ports.stateStore.commit((failure) => {
      if (failure !== undefined && !this.#stopped) this.#failed('a commit of the state failed', failure);
    });
    this.#ports.log.log('info', 'replica-removed', { group: groupNameText(group) });
    for (const done of waiting) done();
  }

  /** Gives up what is left of the state of a removed replica, unless nothing is. */
  releaseRemains(group: GroupName): void {
    const { stateStore } = this.#ports;
    const begin = groupPrefix(group);
    const end = must(prefixEnd(begin), 'no group has the highest id');
    let isEmpty = true;
    try {
      stateStore.scan(begin, end, () => {
        isEmpty = false;
        return false;
      });
    } catch (cause) {
      // What cannot be read is there.
      if (!(cause instanceof CorruptionError)) throw cause;
      isEmpty = false;
    }
    if (!isEmpty) stateStore.release(begin, end);
  }
}
