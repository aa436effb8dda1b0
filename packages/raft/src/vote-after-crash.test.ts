import { APPEND_THREAD, type Message, MessageKind } from '@flotilla/base';
import { expect, test } from 'vitest';
import { MemoryStorage } from './memory-storage.ts';
import { confOf, entryOf, messageOf, TestMember } from './test-cluster.ts';

const config = { asyncStorageWrites: true };

function member(id: number): TestMember {
  const storage = new MemoryStorage();
  storage.setConfState(confOf([1, 2, 3]));
  return new TestMember(id, storage, config);
}

/** What a node sends to another; its writes wait in `appendWork`. */
function sent(from: TestMember, to: number): Message[] {
  if (!from.node.hasReady()) return [];
  const { messages } = from.node.ready();
  from.appendWork.push(...messages.filter((message) => message.to === APPEND_THREAD));
  return messages.filter((message) => message.to === to);
}

/** Executes all writes of a node; answers what it sends to another afterwards. */
function written(from: TestMember, to: number): Message[] {
  const answers: Message[] = [];
  for (let order = from.appendWork.shift(); order !== undefined; order = from.appendWork.shift()) {
    const { term, vote, commit, entries, responses } = order;
    from.persist(term === 0 ? undefined : { term, vote, commit }, undefined, entries);
    for (const response of responses) if (response.to === from.id) from.node.step(response);
    answers.push(...responses.filter((response) => response.to === to));
  }
  return answers;
}

const append = { kind: MessageKind.app, from: 1, term: 1, entries: [entryOf(1, 1, 'kept')] };

test('a vote for a log that the candidate lost in a crash does not count for what is left of it', () => {
  const [candidate, voter] = [member(2), member(3)];
  for (const each of [candidate, voter]) each.node.step(messageOf({ ...append, to: each.id }));
  sent(voter, 1);
  written(voter, 1);
  // The entry is on two disks of three, those of 1 and 3: committed. That of 2 has not written it.
  candidate.node.campaign();
  for (const request of sent(candidate, 3)) voter.node.step(request);
  sent(voter, 2);
  const late = written(voter, 2);
  expect(late).toMatchObject([{ kind: MessageKind.voteResp, term: 2, reject: false }]);

  candidate.appendWork = [];
  candidate.restart();
  expect(candidate.node.lastIndex).toBe(0);
  candidate.node.step(messageOf({ kind: MessageKind.heartbeat, from: 1, to: 2, term: 1 }));
  candidate.node.campaign();
  sent(candidate, 3);
  written(candidate, 3);
  expect(candidate.node.role).toBe('candidate');
  expect(candidate.node.term).toBe(2);
  for (const answer of late) candidate.node.step(answer);
  expect(candidate.node.role).toBe('candidate');
});

test('a vote for the log that came back from the crash counts, however late it is', () => {
  const [candidate, voter] = [member(2), member(3)];
  candidate.node.campaign();
  for (const request of sent(candidate, 3)) voter.node.step(request);
  sent(voter, 2);
  const late = written(voter, 2);
  candidate.appendWork = [];
  candidate.restart();
  candidate.node.campaign();
  sent(candidate, 3);
  written(candidate, 3);
  for (const answer of late) candidate.node.step(answer);
  expect(candidate.node.role).toBe('leader');
});
