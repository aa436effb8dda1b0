import { CorruptionError, type GroupName, groupNameText, must } from '@flotilla/base';
import type { Hasher, ReplicaRecord } from '@flotilla/ports';
import { GroupMap } from './group-map.ts';
import { type LmdbTable, plain } from './lmdb-environment.ts';
import { LmdbLogGroup } from './lmdb-log-group.ts';
import {
  decodeHardState,
  decodeReplica,
  decodeRun,
  groupOfKey,
  positionOfRunKey,
  type Run,
} from './log-format.ts';

/** A stored run that nothing refers to any more. */
export interface AbandonedRun {
  /** Key prefix of the group. */
  readonly group: Uint8Array;
  readonly epoch: number;
  readonly first: number;
}

/**
 * Reads the whole log environment once, as the store opens, and verifies every checksum (rules L5 and L8).
 * What does not fit makes its group damaged: never shorter, never absent.
 */
export function recoverLogs(
  hasher: Hasher,
  tables: { readonly replicas: LmdbTable; readonly hardStates: LmdbTable; readonly runs: LmdbTable },
): { readonly groups: GroupMap<LmdbLogGroup>; readonly garbage: AbandonedRun[] } {
  const groups = new GroupMap<LmdbLogGroup>();
  const garbage: AbandonedRun[] = [];

  for (const { key, value } of tables.replicas.getRange()) {
    const name = groupOfKey(key);
    const stored = attempt(() => decodeReplica(hasher, key, value));
    if (stored instanceof CorruptionError) groups.add(name, unreadable(name, stored));
    else groups.add(name, new LmdbLogGroup(stored.record, stored.epoch));
  }

  for (const { key, value } of tables.hardStates.getRange()) {
    const group = groupFor(groups, groupOfKey(key), 'a hard state');
    const state = attempt(() => decodeHardState(hasher, key, value));
    if (state instanceof CorruptionError) group.damage ??= state;
    else group.hardState = state;
  }

  let chain: { readonly group: LmdbLogGroup; readonly run: Run } | undefined;
  for (const { key, value } of tables.runs.getRange()) {
    const group = groupFor(groups, groupOfKey(key), 'entries');
    const { epoch, first } = positionOfRunKey(key);
    if (group.damage !== undefined) {
      remember(group, epoch, first);
      continue;
    }
    if (epoch < group.epoch) {
      garbage.push({ group: group.key, epoch, first });
      continue;
    }
    const run = attempt(() => decodeRun(hasher, key, plain(value)));
    if (run instanceof CorruptionError) {
      group.damage = run;
      remember(group, epoch, first);
      continue;
    }
    const before = chain?.group === group ? chain.run : undefined;
    chain = { group, run };
    const last = first + run.entries.length - 1;
    if (last <= group.record.start.index && epoch === group.epoch) {
      garbage.push({ group: group.key, epoch, first });
      chain = undefined;
      continue;
    }
    const wrong = misfit(group, run, before);
    if (wrong === undefined) {
      group.adopt(first, run.sum, run.entries);
      continue;
    }
    group.damage = new CorruptionError(
      `log of group ${group.text}, entries from ${first} on: ${wrong}; a write was lost or came twice. ` +
        'The replica must not vote or answer; it is to be replaced under a new raft id',
      { group: group.text, first },
    );
    remember(group, epoch, first);
  }
  return { groups, garbage };
}

/** Why the run cannot follow what was read before it; undefined if it can. */
function misfit(group: LmdbLogGroup, run: Run, before: Run | undefined): string | undefined {
  const { start } = group.record;
  if (run.epoch !== group.epoch)
    return `they are of epoch ${run.epoch}, the replica record names ${group.epoch}`;
  if (before === undefined) {
    if (run.first > start.index + 1) return `the log begins after ${start.index}`;
    if (run.first === start.index + 1 && run.prevTerm !== start.term)
      return `they follow an entry of term ${run.prevTerm}, the log begins after one of term ${start.term}`;
  } else {
    const last = must(before.entries.at(-1), 'an entry');
    if (run.first !== last.index + 1) return `the entries before end at ${last.index}`;
    if (run.prevTerm !== last.term)
      return `they follow an entry of term ${run.prevTerm}, entry ${last.index} has term ${last.term}`;
    if (run.prevSum !== before.sum) return 'the run before is not the one that they were written after';
  }
  let term = before === undefined ? 0 : must(before.entries.at(-1), 'an entry').term;
  for (const entry of run.entries) {
    if (entry.index === start.index && entry.term !== start.term)
      return `entry ${entry.index} has term ${entry.term}, the log begins after term ${start.term}`;
    if (entry.term < term) return `the term falls from ${term} to ${entry.term} at entry ${entry.index}`;
    term = entry.term;
  }
  return undefined;
}

/** A group that left something behind without a readable replica record is damaged, not unknown. */
function groupFor(groups: GroupMap<LmdbLogGroup>, name: GroupName, what: string): LmdbLogGroup {
  const known = groups.get(name);
  if (known !== undefined) return known;
  const group = unreadable(
    name,
    new CorruptionError(
      `group ${groupNameText(name)}: there is ${what} without a replica record; a write was lost. ` +
        'The replica must not vote or answer; it is to be replaced under a new raft id',
      { group: groupNameText(name) },
    ),
  );
  groups.add(name, group);
  return group;
}

function unreadable(name: GroupName, damage: CorruptionError): LmdbLogGroup {
  const nobody = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const start = { index: 0, term: 0, confState: nobody };
  const record: ReplicaRecord = { group: name, raftId: 0, generation: 0, start, removed: false };
  const group = new LmdbLogGroup(record, 0);
  group.damage = damage;
  return group;
}

function remember(group: LmdbLogGroup, epoch: number, first: number): void {
  group.found.push({ epoch, first });
}

function attempt<T>(decode: () => T): T | CorruptionError {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CorruptionError) return error;
    throw error;
  }
}
