import { CorruptionError, type HardState, type Message } from '@flotilla/base';
import { type LogStore, type LogWrite, neverRare, type RareBranches } from '@flotilla/ports';
import type { Replica } from './replica.ts';

/**
 * The durable part of what a core wants appended; undefined if its responses only wait for what was queued
 * before. A new commit index alone is not worth a sync: a crash may take it, but then nothing that was written
 * later is left either (why that matters stands at `mustSync` of raft's Ready). So it goes with the next write.
 */
export function makeLogWrite(
  replica: Replica,
  message: Message,
  logStore: LogStore,
  rare: RareBranches = neverRare,
): LogWrite | undefined {
  const { group } = replica;
  const { entries, snapshot } = message;
  const hardState = hardStateOf(message) ?? replica.lazyHardState;
  replica.lazyHardState = undefined;
  if (snapshot !== undefined) {
    const { staged } = replica;
    if (staged === undefined || staged.meta.index !== snapshot.index) {
      throw new CorruptionError(
        `group ${replica.name}: a snapshot at ${snapshot.index} that was never staged`,
      );
    }
    replica.installing = true;
    const start = { index: snapshot.index, term: snapshot.term, confState: snapshot.confState };
    const write = { group, replica: replica.record(staged.generation, start) };
    return withHardState(entries.length > 0 ? { ...write, entries } : write, hardState);
  }
  if (entries.length > 0) return withHardState({ group, entries }, hardState);
  if (hardState === undefined) return undefined;
  const last = logStore.hardState(group);
  const isNews = last?.term !== hardState.term || last.vote !== hardState.vote;
  if (isNews || rare.take('commit-index-written')) return { group, hardState };
  replica.lazyHardState = hardState;
  return undefined;
}

function withHardState(write: LogWrite, hardState: HardState | undefined): LogWrite {
  return hardState === undefined ? write : { ...write, hardState };
}

/** Zeros mean that the hard state did not change. */
function hardStateOf(message: Message): HardState | undefined {
  const { term, vote, commit } = message;
  return term === 0 && vote === 0 && commit === 0 ? undefined : { term, vote, commit };
}
