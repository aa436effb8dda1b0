import { test } from 'vitest';
import { expectPass, THREE } from './interaction-text.ts';

/** The interaction commands about storage and its threads. */

test('storage: what was compacted once cannot be again, and the log shows what is stable', () => {
  expectPass(`${THREE}propose 1 "a\\b"
----
ok

stabilize log-level=none
----
ok

raft-log 2
----
1/11 EntryNormal ""
1/12 EntryNormal "\\"a\\\\b\\""

compact 2 11
----
1/12 EntryNormal "\\"a\\\\b\\""

compact 2 11
----
requested index is unavailable due to compaction

compact 2 12
----
log is empty: first index=13, last index=12
`);
});

test('without work the storage threads say so, one node or several', () => {
  expectPass(`${THREE}process-append-thread 1
----
no append work to perform

process-apply-thread 1
----
no apply work to perform

process-append-thread 1 2
----
> 1 processing append thread
  no append work to perform
> 2 processing append thread
  no append work to perform

process-apply-thread 3 1
----
> 3 processing apply thread
  no apply work to perform
> 1 processing apply thread
  no apply work to perform
`);
});

test('own messages and those of storage threads are never dropped', () => {
  expectPass(`add-nodes 1 voters=(1) index=2 async-storage-writes=true
----
INFO 1 switched to configuration voters=(1)
INFO 1 became follower at term 0
INFO newRaft 1 [peers: [1], term: 0, commit: 2, applied: 2, lastindex: 2, lastterm: 1]

campaign 1
----
INFO 1 is starting a new election at term 0
INFO 1 became candidate at term 1

process-ready 1
----
Ready MustSync=true:
Lead:0 State:StateCandidate
HardState Term:1 Vote:1 Commit:2
Messages:
1->AppendThread MsgStorageAppend Term:1 Log:0/0 Commit:2 Vote:1 Responses:[
  1->1 MsgVoteResp Term:1 Log:0/0
]

process-append-thread 1
----
Processing:
1->AppendThread MsgStorageAppend Term:1 Log:0/0 Commit:2 Vote:1
Responses:
1->1 MsgVoteResp Term:1 Log:0/0

deliver-msgs drop=1
----
no messages

deliver-msgs 1
----
1->1 MsgVoteResp Term:1 Log:0/0
INFO 1 received MsgVoteResp from 1 at term 1
INFO 1 has received 1 MsgVoteResp votes and 0 vote rejections
INFO 1 became leader at term 1
`);
});
