import { type Message, MessageKind, type RaftId } from '@flotilla/base';
import type { RaftConfig } from './config.ts';
import { MemoryStorage } from './memory-storage.ts';
import { confOf, entryOf, messageOf, TestMember } from './test-cluster.ts';

/** One node without its group, for tests of single rules: what others say is stepped into it by hand. */

/** Node 1 of {1, 2, 3} with log terms as given, at a term. */
export function lone(
  terms: readonly number[],
  term: number,
  overrides: Partial<RaftConfig> = {},
  voters: readonly RaftId[] = [1, 2, 3],
): TestMember {
  const storage = new MemoryStorage();
  storage.setConfState(confOf(voters));
  storage.append(terms.map((entryTerm, at) => entryOf(at + 1, entryTerm)));
  storage.setHardState({ term, vote: 0, commit: 0 });
  return new TestMember(1, storage, overrides);
}

/** A message from 2, of the node's own term unless said otherwise. */
export function hear(member: TestMember, fields: Partial<Message> & Pick<Message, 'kind'>): void {
  member.node.step(messageOf({ from: 2, to: 1, term: member.node.term, ...fields }));
}

/** Synchronous mode: does all that is due, and returns what the node sent. */
export function take(member: TestMember): readonly Message[] {
  const sent: Message[] = [];
  while (member.node.hasReady()) {
    const ready = member.node.ready();
    member.persist(ready.hardState, ready.snapshot, ready.entries);
    sent.push(...ready.messages);
    member.apply(ready.committedEntries);
    member.node.advance();
  }
  return sent;
}

/** The answer of a node to a vote request. */
export function ask(
  member: TestMember,
  from: RaftId,
  term: number,
  logTerm: number,
  index: number,
  kind: MessageKind = MessageKind.vote,
): 'granted' | 'rejected' | 'silent' {
  member.node.step(messageOf({ kind, from, to: 1, term, logTerm, index }));
  const answer = take(member).at(-1);
  return answer === undefined ? 'silent' : answer.reject ? 'rejected' : 'granted';
}
