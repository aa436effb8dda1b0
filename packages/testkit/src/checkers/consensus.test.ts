import {
  EMPTY_BYTES,
  type Entry,
  EntryKind,
  type Message,
  MessageKind,
  utf8Encode,
  Xxh64,
} from '@flotilla/base';
import type { ReplicaRecord } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';
import { ConsensusChecker } from './consensus.ts';
import type { ReplicaWatch } from './replica-watch.ts';

const group = { gid: 1, incarnation: 2 };
const conf = { votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

const tombstone = { start: { index: 0, term: 0 }, hardState: undefined, entries: [], removed: true };

function entry(index: number, term: number, text = `${term}/${index}`): Entry {
  return { index, term, kind: EntryKind.normal, data: utf8Encode(text) };
}

function message(kind: MessageKind, fields: Partial<Message>): Message {
  return {
    kind,
    from: 0,
    to: 0,
    term: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    entries: [],
    snapshot: undefined,
    context: EMPTY_BYTES,
    responses: [],
    ...fields,
  };
}

/** Three replicas whose writes become durable at once, unless told otherwise. */
class Rig {
  readonly checker: ConsensusChecker = new ConsensusChecker(new Xxh64());
  readonly a: ReplicaWatch = this.#replica(1);
  readonly b: ReplicaWatch = this.#replica(2);
  readonly c: ReplicaWatch = this.#replica(3);
  #commit = 1;

  #replica(raftId: number): ReplicaWatch {
    const watch = this.checker.replica(`s${raftId}`, group, raftId);
    const record: ReplicaRecord = {
      group,
      raftId,
      generation: 1,
      start: { index: 0, term: 0, confState: { voters: [1, 2, 3], ...conf } },
      removed: false,
    };
    watch.writes({ group, replica: record }, 0);
    watch.synced(0);
    return watch;
  }

  write(replica: ReplicaWatch, entries: readonly Entry[], sync = true): void {
    replica.writes({ group, entries }, this.#commit);
    if (sync) replica.synced(this.#commit);
    this.#commit++;
  }

  vote(replica: ReplicaWatch, term: number, vote: number, commit = 0, sync = true): void {
    replica.writes({ group, hardState: { term, vote, commit } }, this.#commit);
    if (sync) replica.synced(this.#commit);
    this.#commit++;
  }

  compact(replica: ReplicaWatch, to: number): void {
    replica.writes({ group, compactTo: to }, this.#commit);
    replica.synced(this.#commit++);
  }

  /** The usual beginning: 1 leads term 1, entries 1 and 2 are everywhere. */
  begin(): this {
    for (const each of [this.a, this.b, this.c]) this.vote(each, 1, 1);
    this.a.sends(message(MessageKind.app, { term: 1, to: 2 }));
    for (const each of [this.a, this.b, this.c]) this.write(each, [entry(1, 1), entry(2, 1)]);
    return this;
  }
}

describe('what a correct Raft does', () => {
  const good: [string, (rig: Rig) => void][] = [
    [
      'entries are written, acknowledged and applied',
      ({ a, b, c }) => {
        b.sends(message(MessageKind.appResp, { term: 1, index: 2, to: 1 }));
        for (const each of [a, b, c]) each.appliesTo(2);
      },
    ],
    [
      'a leader applies what only its followers have made durable',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)], false);
        rig.write(rig.b, [entry(3, 1)]);
        rig.write(rig.c, [entry(3, 1)]);
        rig.a.appliesTo(3);
      },
    ],
    [
      'a leader calls committed what its followers have made durable',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)], false);
        rig.write(rig.b, [entry(3, 1)]);
        rig.write(rig.c, [entry(3, 1)]);
        rig.a.sends(message(MessageKind.app, { term: 1, to: 2, commit: 3 }));
        rig.a.appliesTo(3);
      },
    ],
    [
      'an old leader that has stepped down writes what the new one sends',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)]);
        const hardState = { term: 2, vote: 2, commit: 0 };
        rig.a.writes({ group, hardState, entries: [entry(3, 2)] }, 500);
        rig.a.synced(500);
      },
    ],
    [
      'an unacknowledged suffix is overwritten by the next leader',
      (rig) => {
        rig.write(rig.a, [entry(3, 1), entry(4, 1)]);
        for (const each of [rig.b, rig.c]) rig.vote(each, 2, 2);
        rig.b.leads(2);
        for (const each of [rig.b, rig.c]) rig.write(each, [entry(3, 2)]);
        rig.b.appliesTo(3);
        rig.vote(rig.a, 2, 0);
        rig.write(rig.a, [entry(3, 2)]);
        rig.a.appliesTo(3);
      },
    ],
    [
      'a leader that wins late does not know what a later one committed',
      (rig) => {
        for (const each of [rig.a, rig.b, rig.c]) rig.vote(each, 2, 3);
        for (const each of [rig.a, rig.b]) rig.vote(each, 3, 1);
        rig.a.leads(3);
        for (const each of [rig.a, rig.b]) rig.write(each, [entry(3, 3)]);
        rig.a.appliesTo(3);
        rig.c.leads(2);
      },
    ],
    [
      'a vote is repeated',
      (rig) => {
        rig.vote(rig.b, 2, 3);
        rig.b.sends(message(MessageKind.voteResp, { term: 2, to: 3 }));
        rig.b.sends(message(MessageKind.voteResp, { term: 2, to: 3 }));
      },
    ],
    [
      'a refused vote needs nothing durable',
      ({ b }) => {
        b.sends(message(MessageKind.voteResp, { term: 9, to: 3, reject: true }));
        b.sends(message(MessageKind.appResp, { term: 9, to: 3, reject: true, index: 99 }));
      },
    ],
    [
      'a log is compacted up to the durable state',
      (rig) => {
        rig.a.appliesTo(2);
        rig.a.stateSynced(2);
        rig.compact(rig.a, 2);
        rig.write(rig.a, [entry(3, 1)]);
        rig.write(rig.b, [entry(3, 1)]);
        rig.a.appliesTo(3);
      },
    ],
    [
      'a snapshot takes the place of a log',
      (rig) => {
        for (const each of [rig.a, rig.b]) rig.write(each, [entry(3, 1)]);
        rig.a.appliesTo(3);
        const start = { index: 3, term: 1, confState: { voters: [1, 2, 3], ...conf } };
        rig.c.writes({ group, replica: { group, raftId: 3, generation: 2, start, removed: false } }, 99);
        rig.c.synced(99);
        rig.c.appliesTo(3);
        rig.c.sends(message(MessageKind.appResp, { term: 1, index: 3 }));
      },
    ],
    [
      'a snapshot whose installation did not become durable leaves the old state',
      (rig) => {
        for (const each of [rig.a, rig.b]) rig.write(each, [entry(3, 1)]);
        rig.a.appliesTo(3);
        const start = { index: 3, term: 1, confState: { voters: [1, 2, 3], ...conf } };
        rig.c.writes({ group, replica: { group, raftId: 3, generation: 2, start, removed: false } }, 99);
        rig.c.reopened({
          start: { index: 0, term: 0 },
          hardState: { term: 1, vote: 1, commit: 0 },
          entries: [entry(1, 1), entry(2, 1)],
          removed: false,
        });
        rig.c.restartsFrom(0);
      },
    ],
    [
      'a removed replica has lost all, also what a state commit under way had just made durable',
      (rig) => {
        rig.c.appliesTo(2);
        const start = { index: 0, term: 0, confState: { voters: [], ...conf } };
        rig.c.writes({ group, replica: { group, raftId: 3, generation: 0, start, removed: true } }, 99);
        rig.c.synced(99);
        rig.c.stateSynced(2);
        rig.c.reopened(tombstone);
        rig.c.restartsFrom(0);
        for (const each of [rig.a, rig.b]) each.appliesTo(2);
      },
    ],
    [
      'a removed replica has lost all, also when its store died before it heard of the tombstone',
      (rig) => {
        rig.c.appliesTo(2);
        rig.c.stateSynced(2);
        const start = { index: 0, term: 0, confState: { voters: [], ...conf } };
        rig.c.writes({ group, replica: { group, raftId: 3, generation: 0, start, removed: true } }, 99);
        rig.c.reopened(tombstone);
        rig.c.restartsFrom(0);
        for (const each of [rig.a, rig.b]) each.appliesTo(2);
      },
    ],
    [
      'a creation that was not durable is forgotten and made again',
      ({ checker }) => {
        const start = { index: 0, term: 0, confState: { voters: [1, 2, 3, 4], ...conf } };
        const replica = { group, raftId: 4, generation: 1, start, removed: false };
        const d = checker.replica('s4', group, 4);
        d.writes({ group, replica }, 300);
        d.isGone();
        d.writes({ group, replica, hardState: { term: 1, vote: 0, commit: 0 } }, 1);
        d.synced(1);
        d.sends(message(MessageKind.appResp, { term: 1, index: 0 }));
      },
    ],
    [
      'a power cut takes what was not durable',
      (rig) => {
        rig.write(rig.b, [entry(3, 1)], false);
        const state = { term: 1, vote: 1, commit: 0 };
        rig.b.reopened({
          start: { index: 0, term: 0 },
          hardState: state,
          entries: [entry(1, 1), entry(2, 1)],
          removed: false,
        });
        rig.b.restartsFrom(0);
        rig.write(rig.b, [entry(3, 1)]);
        rig.b.appliesTo(2);
      },
    ],
    [
      'states after the same entry are equal',
      ({ a, b, checker }) => {
        checker.group(group).isAt(a, 2, 11, 12);
        checker.group(group).isAt(b, 1, 9, 9);
        checker.group(group).isAt(b, 2, 11, 12);
      },
    ],
  ];
  test.each(good)('%s', (_title, run) => {
    run(new Rig().begin());
  });
});

describe('what no correct Raft does', () => {
  const bad: [string, string, (rig: Rig) => void][] = [
    [
      'two leaders of one term',
      'both lead term 1',
      (rig) => {
        rig.vote(rig.b, 1, 1);
        rig.b.sends(message(MessageKind.app, { term: 1, to: 3 }));
      },
    ],
    [
      'one index and term, two entries',
      'entry 3 of term 1',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)]);
        rig.write(rig.b, [entry(3, 1, 'other')]);
      },
    ],
    [
      'equal entries after different ones',
      'entry 4 of term 2',
      (rig) => {
        rig.vote(rig.b, 2, 2);
        rig.vote(rig.a, 2, 2);
        rig.write(rig.a, [entry(3, 1), entry(4, 2)]);
        rig.write(rig.b, [entry(3, 2), entry(4, 2)]);
      },
    ],
    [
      'an entry after one that nobody ever had',
      'that nobody ever had',
      (rig) => {
        const start = { index: 7, term: 5, confState: { voters: [1, 2, 3], ...conf } };
        rig.c.writes({ group, replica: { group, raftId: 3, generation: 2, start, removed: false } }, 9);
        rig.write(rig.c, [entry(8, 5)], false);
      },
    ],
    [
      'two entries are applied at one index',
      'applied with term 1',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)]);
        rig.write(rig.b, [entry(3, 1)]);
        rig.a.appliesTo(3);
        rig.vote(rig.c, 2, 3);
        rig.write(rig.c, [entry(3, 2)]);
        rig.c.appliesTo(3);
      },
    ],
    [
      'states differ after the same entry',
      'states of 1.2/1@s1 and 1.2/2@s2 differ',
      ({ a, b, checker }) => {
        checker.group(group).isAt(a, 2, 11, 12);
        checker.group(group).isAt(b, 2, 11, 13);
      },
    ],
    [
      'an entry is applied that is durable on a minority',
      'durable on 1 of 3',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)]);
        rig.write(rig.b, [entry(3, 1)], false);
        rig.a.appliesTo(3);
      },
    ],
    [
      'a leader calls committed what is durable on a minority',
      'entry 3 of term 1 was called committed by 1.2/1@s1 while durable on 1 of 3',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)]);
        rig.write(rig.b, [entry(3, 1)], false);
        rig.a.sends(message(MessageKind.heartbeat, { term: 1, to: 3, commit: 3 }));
      },
    ],
    [
      'a leader calls committed what a minority has, before its own disk hears of it',
      'entry 3 of term 1 was called committed by 1.2/1@s1 while durable on 1 of 3',
      (rig) => {
        rig.a.sends(message(MessageKind.heartbeat, { term: 1, to: 3, commit: 3 }));
        rig.write(rig.a, [entry(3, 1)]);
        rig.a.sends(message(MessageKind.heartbeat, { term: 1, to: 3, commit: 3 }));
      },
    ],
    [
      'a leader replaces an entry of its own log',
      'leads term 1 and writes entry 3 into its log, which ends at 3',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)]);
        rig.write(rig.a, [entry(3, 1)]);
      },
    ],
    [
      'a new leader lacks what was applied',
      'is not in the log of',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)]);
        rig.write(rig.b, [entry(3, 1)]);
        rig.a.appliesTo(3);
        rig.vote(rig.c, 2, 3);
        rig.c.leads(2);
      },
    ],
    [
      'a new leader has another entry where one was applied',
      'it has term 2 there',
      (rig) => {
        rig.write(rig.a, [entry(3, 1)]);
        rig.write(rig.b, [entry(3, 1)]);
        rig.vote(rig.c, 2, 3);
        rig.write(rig.c, [entry(3, 2)]);
        rig.a.appliesTo(3);
        rig.vote(rig.c, 3, 3);
        rig.c.leads(3);
      },
    ],
    [
      'an applied entry is replaced',
      'replaces entry 2 of term 1',
      (rig) => {
        rig.a.appliesTo(2);
        rig.vote(rig.c, 2, 3);
        rig.write(rig.c, [entry(2, 2)]);
      },
    ],
    [
      'a vote before it is durable',
      'granted its vote',
      (rig) => {
        rig.vote(rig.b, 2, 3, 0, false);
        rig.b.sends(message(MessageKind.voteResp, { term: 2, to: 3 }));
      },
    ],
    [
      'two votes in one term',
      'changes its vote',
      (rig) => {
        rig.vote(rig.b, 2, 3);
        rig.vote(rig.b, 2, 1);
      },
    ],
    [
      'a vote for somebody else than the durable one',
      'granted its vote of term 2 to 1',
      (rig) => {
        rig.vote(rig.b, 2, 3);
        rig.b.sends(message(MessageKind.voteResp, { term: 2, to: 1 }));
      },
    ],
    [
      'an acknowledgement before it is durable',
      'acknowledged entry 3',
      (rig) => {
        rig.write(rig.b, [entry(3, 1)], false);
        rig.b.sends(message(MessageKind.appResp, { term: 1, index: 3, to: 1 }));
      },
    ],
    [
      'a leader before its own term is durable',
      'acts as leader of term 2',
      (rig) => {
        rig.vote(rig.b, 2, 2, 0, false);
        rig.b.sends(message(MessageKind.app, { term: 2, to: 1 }));
      },
    ],
    ['the term falls', 'falls from term 1 to 0', (rig) => rig.vote(rig.b, 0, 0)],
    [
      'the commit index falls',
      'falls from commit index 2 to 1',
      (rig) => {
        rig.vote(rig.b, 1, 1, 2);
        rig.vote(rig.b, 1, 1, 1);
      },
    ],
    [
      'a log is compacted beyond the durable state',
      'drops its log up to 2',
      (rig) => {
        rig.a.appliesTo(2);
        rig.compact(rig.a, 2);
      },
    ],
    [
      'the applied index falls',
      'went back from applied 2 to 1',
      ({ a }) => {
        a.appliesTo(2);
        a.appliesTo(1);
      },
    ],
    [
      'durable entries are lost in a crash',
      'came back with entries to 1',
      ({ b }) => {
        const state = { term: 1, vote: 1, commit: 0 };
        b.reopened({
          start: { index: 0, term: 0 },
          hardState: state,
          entries: [entry(1, 1)],
          removed: false,
        });
      },
    ],
    [
      'the durable term is lost in a crash',
      'came back with entries to 2, term 0',
      ({ b }) => {
        const entries = [entry(1, 1), entry(2, 1)];
        b.reopened({ start: { index: 0, term: 0 }, hardState: undefined, entries, removed: false });
      },
    ],
    [
      'the durable state is lost in a crash',
      'lost its state after 1, durable was 2',
      ({ b }) => {
        b.appliesTo(2);
        b.stateSynced(2);
        const entries = [entry(1, 1), entry(2, 1)];
        b.reopened({
          start: { index: 0, term: 0 },
          hardState: { term: 1, vote: 1, commit: 0 },
          entries,
          removed: false,
        });
        b.restartsFrom(1);
      },
    ],
    [
      'a replica that was removed is made again',
      'is made again after it was removed',
      (rig) => {
        const start = { index: 0, term: 0, confState: { voters: [1, 2, 3], ...conf } };
        rig.c.writes({ group, replica: { group, raftId: 3, generation: 0, start, removed: true } }, 99);
        rig.c.synced(99);
        rig.c.writes({ group, replica: { group, raftId: 3, generation: 1, start, removed: false } }, 100);
      },
    ],
    [
      'a replica that went with its disk is made again',
      'is made again after it was removed, or lost',
      (rig) => {
        const start = { index: 0, term: 0, confState: { voters: [1, 2, 3], ...conf } };
        rig.c.isLost();
        rig.c.writes({ group, replica: { group, raftId: 3, generation: 1, start, removed: false } }, 100);
      },
    ],
    [
      'a replica that has applied something begins anew',
      'begins anew at 0, after it has applied 2',
      ({ b }) => {
        b.appliesTo(2);
        const start = { index: 0, term: 0, confState: { voters: [1, 2, 3], ...conf } };
        b.writes({ group, replica: { group, raftId: 2, generation: 1, start, removed: false } }, 9);
      },
    ],
    [
      'a durable replica is not there any more',
      'was durable and is not there any more',
      ({ b }) => b.isGone(),
    ],
    [
      'a raft id lives on two stores',
      'lives on s2 and on s9',
      ({ checker }) => {
        checker.replica('s9', group, 2);
      },
    ],
  ];
  test.each(bad)('%s', (_title, words, run) => {
    const rig = new Rig().begin();
    expect(() => run(rig)).toThrow(words);
  });
});
