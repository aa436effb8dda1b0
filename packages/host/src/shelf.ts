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
import { neverRare, type ReplicaRecord } from '@flotilla/ports';
import type { ReplicaPlace } from '@flotilla/wire';
import { Burials } from './burials.ts';
import { isReplicaFault } from './faults.ts';
import type { HostOptions, HostPorts } from './host-ports.ts';
import {
  brokenKey,
  decodeMeta,
  generationOf,
  generationPrefix,
  groupPrefix,
  MetaEncoder,
  metaKey,
} from './layout.ts';
import { removeLitter } from './litter.ts';
import { Replica } from './replica.ts';
import { releaseGeneration } from './snapshot-receiver.ts';
import type { HostTuning } from './tuning.ts';

const FIRST_GENERATION = 1;
const REASON_LENGTH_MAX = 500;

/** A replica that the log knows and that takes part in nothing. */
export interface UnopenedReplica {
  readonly group: GroupName;
  /** 0 if not even its record can be read. */
  readonly raftId: RaftId;
  readonly why: string;
}

/** The replicas of one store: opening, creating, installing, quarantine, end. At most one incarnation of a gid. */
export class ReplicaShelf {
  readonly budget: { bytes: number } = { bytes: 0 };
  readonly #ports: HostPorts;
  readonly #options: HostOptions;
  readonly #tuning: HostTuning;
  readonly #failed: (what: string, cause: Error) => void;
  readonly #replicas = new Map<number, Replica>();
  readonly #creating = new Map<number, GroupName>();
  readonly #burials: Burials;
  /** Groups whose replica could not be opened, and why. */
  readonly #unopened = new Map<number, UnopenedReplica>();
  #stopped = false;

  constructor(
    ports: HostPorts,
    options: HostOptions,
    tuning: HostTuning,
    failed: (what: string, cause: Error) => void,
  ) {
    this.#failed = failed;
    this.#ports = ports;
    this.#options = options;
    this.#tuning = tuning;
    this.#burials = new Burials(ports, failed);
  }

  /** Nothing is written any more. */
  stop(): void {
    this.#stopped = true;
    this.#burials.stop();
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

  /** Replicas that take part in nothing since the start, because they could not be opened. */
  unopened(): Iterable<UnopenedReplica> {
    return this.#unopened.values();
  }

  /** Opens what the log knows. What cannot be opened is named in the log and takes part in nothing. */
  openAll(holdBackUntil: number): Replica[] {
    const opened: Replica[] = [];
    const { logStore } = this.#ports;
    const records = logStore.replicas();
    const known = [...records.map((record) => record.group), ...logStore.damaged()];
    if (removeLitter(this.#ports.stateStore, known, FIRST_GENERATION)) {
      this.#ports.stateStore.commit((failure) => {
        if (failure !== undefined && !this.#stopped) this.#failed('a commit of the state failed', failure);
      });
    }
    for (const group of logStore.damaged()) {
      // One whose record is readable fails as it is opened, with a better reason.
      if (records.some((record) => sameGroup(record.group, group))) continue;
      this.#cannotOpen(group, 0, new CorruptionError('its record in the log is damaged'));
    }
    for (const record of records) {
      if (record.removed) {
        this.#burials.releaseRemains(record.group);
        continue;
      }
      try {
        opened.push(this.#open(record, holdBackUntil));
      } catch (cause) {
        if (!isReplicaFault(cause, this.#options.isReplicaFault)) throw cause;
        this.#cannotOpen(record.group, record.raftId, cause as Error);
      }
    }
    return opened;
  }

  #cannotOpen(group: GroupName, raftId: RaftId, cause: Error): void {
    const why = wordsOf(cause);
    this.#unopened.set(group.gid, { group, raftId, why });
    this.#ports.log.log('error', 'replica-quarantined', { group: groupNameText(group), why });
  }

  #open(record: ReplicaRecord, holdBackUntil: number): Replica {
    const { stateStore, logStore, random, rare = neverRare } = this.#ports;
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
      rare,
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
    // Not to the end of the group: the range is removed later, when a new generation may already be staged.
    const beyond = prefixEnd(generationPrefix(group, highest));
    if (after !== undefined && beyond !== undefined && highest > current) stateStore.release(after, beyond);
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
    const refused = this.#refusal(group);
    if (refused !== undefined) {
      done(undefined, refused);
      return;
    }
    this.#creating.set(group.gid, group);
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
    // State first: a log that points at nothing would be a loss, a state that nothing points at is only litter.
    stateStore.put(metaKey(group, FIRST_GENERATION), new MetaEncoder().encode(meta));
    stateStore.commit((stateFailure) => {
      if (this.#stopped) return;
      if (stateFailure !== undefined) {
        this.#failed(`the state of group ${name} could not be created`, stateFailure);
        return;
      }
      logStore.commit([{ group, replica: record }], (logFailure) => {
        if (this.#stopped) return;
        if (logFailure !== undefined) {
          this.#failed(`the log of group ${name} could not be created`, logFailure);
          return;
        }
        this.#creating.delete(group.gid);
        // A raft id that never existed before has promised nothing: no hold-back.
        done(this.#open(record, Number.NEGATIVE_INFINITY), undefined);
      });
    }, 'soon');
  }

  /** Why no replica of this group may be made here. */
  #refusal(group: GroupName): string | undefined {
    const { logStore } = this.#ports;
    const name = groupNameText(group);
    // Damaged logs may lack a readable record: what cannot be read is not absent.
    const known = [...logStore.replicas().map((record) => record.group), ...logStore.damaged()];
    if (known.some((each) => sameGroup(each, group))) {
      return `a replica of group ${name} exists here or did: its raft ids are never used again`;
    }
    const other = (this.#replicas.get(group.gid) ?? this.#unopened.get(group.gid))?.group;
    if (other !== undefined) {
      return `group ${groupNameText(other)} is still here: it must be removed before ${name}`;
    }
    if (this.#burials.has(group.gid)) return `the former group ${group.gid} is being removed`;
    return this.#creating.has(group.gid) ? `a replica of group ${group.gid} is being made` : undefined;
  }

  /** Ends the replica of the group for good, opened or not; see {@link Burials}. */
  bury(group: GroupName, done: (refused: string | undefined) => void): void {
    const { gid } = group;
    const creating = this.#creating.get(gid);
    if (creating !== undefined && sameGroup(creating, group)) {
      done(`the replica of group ${groupNameText(group)} is being made: ask again`);
      return;
    }
    const replica = this.find(group);
    const unopened = this.#unopened.get(gid);
    if (replica !== undefined) {
      this.#replicas.delete(gid);
      replica.broken ??= 'this replica was removed';
      this.#burials.begin(group, replica.raftId);
    } else if (unopened !== undefined && sameGroup(unopened.group, group)) {
      this.#unopened.delete(gid);
      this.#burials.begin(group, unopened.raftId);
    }
    this.#burials.whenOver(group, () => done(undefined));
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
    replica.broken = wordsOf(cause);
    this.#ports.stateStore.put(brokenKey(replica.group, replica.generation), utf8Encode(replica.broken));
    this.#ports.stateStore.commit((failure) => {
      if (failure !== undefined) this.#failed(`group ${replica.name} could not be marked`, failure);
    }, 'soon');
    this.#ports.log.log('error', 'replica-quarantined', { group: replica.name, why: replica.broken });
  }
}

/** A reason that travels in reports. */
function wordsOf(cause: Error): string {
  return cause.message.slice(0, REASON_LENGTH_MAX);
}
