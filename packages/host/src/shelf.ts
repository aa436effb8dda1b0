import {
  CorruptionError,
  type GroupName,
  groupNameText,
  prefixEnd,
  type RaftId,
  sameGroup,
  utf8Decode,
  utf8Encode,
} from '@flotilla/base';
import type { ReplicaRecord } from '@flotilla/ports';
import { RaftStateError } from '@flotilla/raft';
import type { ReplicaPlace } from '@flotilla/wire';
import type { HostOptions, HostPorts } from './host-ports.ts';
import {
  brokenKey,
  decodeMeta,
  encodeMeta,
  generationOf,
  generationPrefix,
  groupPrefix,
  metaKey,
} from './layout.ts';
import { Replica } from './replica.ts';
import { releaseGeneration } from './snapshot-receiver.ts';
import type { HostTuning } from './tuning.ts';

const FIRST_GENERATION = 1;

/** The replicas of one store: opening, creating, installing, quarantine. At most one incarnation of a gid. */
export class ReplicaShelf {
  readonly budget: { bytes: number } = { bytes: 0 };
  readonly #ports: HostPorts;
  readonly #options: HostOptions;
  readonly #tuning: HostTuning;
  readonly #replicas = new Map<number, Replica>();
  readonly #creating = new Set<string>();

  constructor(ports: HostPorts, options: HostOptions, tuning: HostTuning) {
    this.#ports = ports;
    this.#options = options;
    this.#tuning = tuning;
  }

  all(): Iterable<Replica> {
    return this.#replicas.values();
  }

  get(gid: number): Replica | undefined {
    return this.#replicas.get(gid);
  }

  find(group: GroupName): Replica | undefined {
    const replica = this.#replicas.get(group.gid);
    return replica !== undefined && sameGroup(replica.group, group) ? replica : undefined;
  }

  /** Opens what the log knows. What cannot be opened is named in the log and takes part in nothing. */
  openAll(holdBackUntil: number): Replica[] {
    const opened: Replica[] = [];
    for (const record of this.#ports.logStore.replicas()) {
      if (record.removed) continue;
      try {
        opened.push(this.#open(record, holdBackUntil));
      } catch (cause) {
        const isOwnData = cause instanceof CorruptionError || cause instanceof RaftStateError;
        if (!isOwnData && !this.#options.isReplicaFault?.(cause)) throw cause;
        this.#ports.log.log('error', 'replica-quarantined', {
          group: groupNameText(record.group),
          why: (cause as Error).message,
        });
      }
    }
    return opened;
  }

  #open(record: ReplicaRecord, holdBackUntil: number): Replica {
    const { stateStore, logStore, random } = this.#ports;
    const { group, generation } = record;
    const stored = stateStore.get(metaKey(group, generation));
    if (stored === undefined) {
      throw new CorruptionError(
        `group ${groupNameText(group)}: the state of generation ${generation} is missing`,
      );
    }
    const broken = stateStore.get(brokenKey(group, generation));
    if (broken !== undefined) throw new CorruptionError(utf8Decode(broken));
    const generationsUsed = this.#releaseStale(group, generation);
    const replica = new Replica({
      record,
      meta: decodeMeta(stored),
      logStore,
      stateStore,
      machines: this.#options.machines,
      random: random.fork(`replica ${groupNameText(group)}`),
      tuning: this.#tuning,
      holdBackUntil,
      generationsUsed,
      budget: this.budget,
    });
    this.#replicas.set(group.gid, replica);
    return replica;
  }

  /** Gives up every generation that nothing points at; returns the highest number that was ever used. */
  #releaseStale(group: GroupName, current: number): number {
    const { stateStore } = this.#ports;
    const begin = groupPrefix(group);
    const end = prefixEnd(begin);
    const kept = generationPrefix(group, current);
    const after = prefixEnd(kept);
    let highest = current;
    stateStore.scan(
      begin,
      end,
      (key) => {
        highest = Math.max(highest, generationOf(key));
        return false;
      },
      { reverse: true },
    );
    stateStore.release(begin, kept);
    if (after !== undefined && end !== undefined && highest > current) stateStore.release(after, end);
    return highest;
  }

  create(
    group: GroupName,
    raftId: RaftId,
    members: readonly ReplicaPlace[],
    done: (replica: Replica | undefined, refused: string | undefined) => void,
  ): void {
    const { logStore, stateStore } = this.#ports;
    const name = groupNameText(group);
    const existing = logStore.replicas().find((record) => sameGroup(record.group, group));
    if (existing !== undefined || this.#creating.has(name)) {
      done(undefined, `a replica of group ${name} exists here or did: its raft ids are never used again`);
      return;
    }
    this.#creating.add(name);
    const voters = members.map((place) => place.raftId).sort((left, right) => left - right);
    const confState = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    const meta = { appliedIndex: 0, appliedTerm: 0, confState, members };
    const record: ReplicaRecord = {
      group,
      raftId,
      generation: FIRST_GENERATION,
      start: { index: 0, term: 0, confState },
      removed: false,
    };
    const fail = (failure: Error): void =>
      this.#options.onFatal(`creating group ${name}: ${failure.message}`, 70);
    // State first: a log that points at nothing would be a loss, a state that nothing points at is only litter.
    stateStore.put(metaKey(group, FIRST_GENERATION), encodeMeta(meta));
    stateStore.commit((stateFailure) => {
      if (stateFailure !== undefined) {
        fail(stateFailure);
        return;
      }
      logStore.commit([{ group, replica: record }], (logFailure) => {
        if (logFailure !== undefined) {
          fail(logFailure);
          return;
        }
        this.#creating.delete(name);
        // A raft id that never existed before has promised nothing: no hold-back.
        done(this.#open(record, Number.NEGATIVE_INFINITY), undefined);
      });
    });
  }

  /** The pointer to the staged generation is durable. */
  install(replica: Replica): void {
    const staged = replica.staged;
    const stored =
      staged === undefined
        ? undefined
        : this.#ports.stateStore.get(metaKey(replica.group, staged.generation));
    if (staged === undefined || stored === undefined) {
      throw new CorruptionError(`group ${replica.name}: the staged snapshot has no record of its own`);
    }
    const former = replica.generation;
    replica.switchTo(staged, decodeMeta(stored));
    releaseGeneration(this.#ports.stateStore, replica, former);
  }

  /**
   * Half of an entry may be applied: the mark goes with it into the same transaction, so that no restart takes
   * this state for sound.
   */
  quarantine(replica: Replica, cause: Error): void {
    replica.broken = cause.message;
    this.#ports.stateStore.put(brokenKey(replica.group, replica.generation), utf8Encode(cause.message));
    this.#ports.stateStore.commit((failure) => {
      if (failure !== undefined)
        this.#options.onFatal(`marking group ${replica.name}: ${failure.message}`, 70);
    });
    this.#ports.log.log('error', 'replica-quarantined', { group: replica.name, why: cause.message });
  }
}
