import { expect, test } from 'vitest';
import { difference, expectPass, THREE } from './interaction-text.ts';

/** The interaction commands, their options and errors, above all what etcd's own files never use. */

test('errors are text of the case, also where nothing else is printed', () => {
  expectPass(`no-such-thing 1
----
unknown command

log-level loud
----
log levels must be either of [DEBUG INFO WARN ERROR FATAL NONE]

log-level None
----
ok

no-such-thing 1
----
unknown command

log-level WaRn
----
ok

_breakpoint
----
ok

add-nodes 1 voters=(1)
----
index must be specified as > 1 due to bootstrap

add-nodes 1 voters=(1) index=1
----
index must be specified as > 1 due to bootstrap
`);
});

test('a node without arguments knows nothing, and arguments that nobody knows are ignored', () => {
  expectPass(`add-nodes colour=blue 1 large
----
INFO 1 switched to configuration voters=()
INFO 1 became follower at term 0
INFO newRaft 1 [peers: [], term: 0, commit: 0, applied: 0, lastindex: 0, lastterm: 0]

campaign 1
----
WARN 1 is unpromotable and can not campaign

raft-state
----
1: StateFollower (Non-Voter) Term:0 Lead:0

raft-log 1
----
log is empty: first index=1, last index=0

process-ready 1
----
<empty Ready>

status 1
----
ok

propose 1 x
----
INFO 1 no leader at term 0; dropping proposal
raft proposal dropped
`);
});

test('ids are hexadecimal in messages, configurations and log lines, and decimal elsewhere', () => {
  expectPass(`add-nodes 9
----
${[1, 2, 3, 4, 5, 6, 7, 8, 9]
  .map(
    (id) => `INFO ${id} switched to configuration voters=()
INFO ${id} became follower at term 0
INFO newRaft ${id} [peers: [], term: 0, commit: 0, applied: 0, lastindex: 0, lastterm: 0]`,
  )
  .join('\n')}

add-nodes 2 voters=(12,10,11) learners=(16) index=20 content=abc
----
INFO a switched to configuration voters=(a b c) learners=(10)
INFO a became follower at term 0
INFO newRaft a [peers: [a,b,c], term: 0, commit: 20, applied: 20, lastindex: 20, lastterm: 1]
INFO b switched to configuration voters=(a b c) learners=(10)
INFO b became follower at term 0
INFO newRaft b [peers: [a,b,c], term: 0, commit: 20, applied: 20, lastindex: 20, lastterm: 1]

campaign 10
----
INFO a is starting a new election at term 0
INFO a became candidate at term 1
INFO a [logterm: 1, index: 20] sent MsgVote request to b at term 1
INFO a [logterm: 1, index: 20] sent MsgVote request to c at term 1

stabilize 10 11 log-level=none
----
ok

raft-state
----
1: StateFollower (Non-Voter) Term:0 Lead:0
2: StateFollower (Non-Voter) Term:0 Lead:0
3: StateFollower (Non-Voter) Term:0 Lead:0
4: StateFollower (Non-Voter) Term:0 Lead:0
5: StateFollower (Non-Voter) Term:0 Lead:0
6: StateFollower (Non-Voter) Term:0 Lead:0
7: StateFollower (Non-Voter) Term:0 Lead:0
8: StateFollower (Non-Voter) Term:0 Lead:0
9: StateFollower (Non-Voter) Term:0 Lead:0
10: StateLeader (Voter) Term:1 Lead:10
11: StateFollower (Voter) Term:1 Lead:10

status 10
----
10: StateReplicate match=21 next=22
11: StateReplicate match=21 next=22
12: StateProbe match=0 next=21 paused inactive
16: StateProbe match=0 next=21 learner paused inactive

tick-heartbeat 10
----
ok

stabilize 10 11
----
> 10 handling Ready
  Ready MustSync=false:
  Messages:
  a->b MsgHeartbeat Term:1 Log:0/0 Commit:21
  a->c MsgHeartbeat Term:1 Log:0/0
  a->10 MsgHeartbeat Term:1 Log:0/0
> 11 receiving messages
  a->b MsgHeartbeat Term:1 Log:0/0 Commit:21
> 11 handling Ready
  Ready MustSync=false:
  Messages:
  b->a MsgHeartbeatResp Term:1 Log:0/0
> 10 receiving messages
  b->a MsgHeartbeatResp Term:1 Log:0/0

propose-conf-change 10
r12 v17
----
ok

propose-conf-change 10 v1=1
l18
----
INFO a ignoring conf change transition:ConfChangeTransitionAuto changes:{type:ConfChangeAddLearnerNode node_id:18} at config voters=(a b c) learners=(10): possible unapplied conf change at index 22 (applied to 21)

process-ready 10
----
Ready MustSync=true:
Entries:
1/22 EntryConfChangeV2 r12 v17
1/23 EntryNormal ""
Messages:
a->b MsgApp Term:1 Log:1/21 Commit:21 Entries:[1/22 EntryConfChangeV2 r12 v17]
a->b MsgApp Term:1 Log:1/22 Commit:21 Entries:[1/23 EntryNormal ""]

deliver-msgs drop=(12,16)
----
dropped: a->c MsgVote Term:1 Log:1/20
dropped: a->c MsgApp Term:1 Log:1/20 Commit:20 Entries:[1/21 EntryNormal ""]
dropped: a->c MsgHeartbeat Term:1 Log:0/0
dropped: a->10 MsgApp Term:1 Log:1/20 Commit:20 Entries:[1/21 EntryNormal ""]
dropped: a->10 MsgHeartbeat Term:1 Log:0/0

send-snapshot 10 16
----
a->10 MsgSnap Term:1 Log:0/0
  Snapshot: Index:21 Term:1 ConfState:Voters:[10 11 12] VotersOutgoing:[] Learners:[16] LearnersNext:[] AutoLeave:false
`);
});

test('what is delivered may be chosen by recipient and type, and what is dropped, too', () => {
  expectPass(`${THREE}deliver-msgs 1 2 3
----
no messages

deliver-msgs type=MsgApp
----
no messages

propose 1 a
----
ok

tick-heartbeat 1
----
ok

process-ready 1 2
----
> 1 handling Ready
  Ready MustSync=true:
  Entries:
  1/12 EntryNormal "a"
  Messages:
  1->2 MsgApp Term:1 Log:1/11 Commit:11 Entries:[1/12 EntryNormal "a"]
  1->3 MsgApp Term:1 Log:1/11 Commit:11 Entries:[1/12 EntryNormal "a"]
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
> 2 handling Ready
  <empty Ready>

deliver-msgs 3 2 type=MsgHeartbeat
----
1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11

deliver-msgs 3 2 type=MsgVote
----
no messages

deliver-msgs drop=3 2 drop=(7)
----
dropped: 1->3 MsgApp Term:1 Log:1/11 Commit:11 Entries:[1/12 EntryNormal "a"]
1->2 MsgApp Term:1 Log:1/11 Commit:11 Entries:[1/12 EntryNormal "a"]
`);
});

test.each([
  ['messages cannot be delivered and dropped', 'deliver-msgs 1 drop=(1)', 'delivered and dropped'],
  ['a node has to exist', 'campaign 4', 'there is no node 4'],
  ['a node has to be named', 'process-ready', 'needs a node'],
  ['a proposal has data', 'propose 1', 'needs a second argument'],
  ['a timeout is a number', 'set-randomized-election-timeout 1 timeout=soon', 'not an integer'],
  ['a timeout is named', 'set-randomized-election-timeout 1 3', 'needs timeout='],
  ['booleans are spelt in Go', 'add-nodes 1 prevote=yes', 'not a boolean: yes'],
  ['a list is no value', 'transfer-leadership from=(1,2) to=3', 'from takes one value'],
])('a malformed case fails: %s', (_, directive, problem) => {
  const text = difference(`${THREE}${directive}\n----\nok\n`);
  expect(text).toContain('threw');
  expect(text).toContain(problem);
});

test('an answer of somebody who is no member is refused with the words of the reference', () => {
  expectPass(`add-nodes 2 voters=(1) index=5
----
INFO 1 switched to configuration voters=(1)
INFO 1 became follower at term 0
INFO newRaft 1 [peers: [1], term: 0, commit: 5, applied: 5, lastindex: 5, lastterm: 1]
INFO 2 switched to configuration voters=(1)
INFO 2 became follower at term 0
INFO newRaft 2 [peers: [1], term: 0, commit: 5, applied: 5, lastindex: 5, lastterm: 1]

campaign 1
----
INFO 1 is starting a new election at term 0
INFO 1 became candidate at term 1

stabilize 1 log-level=none
----
ok

send-snapshot 1 2
----
1->2 MsgSnap Term:1 Log:0/0
  Snapshot: Index:6 Term:1 ConfState:Voters:[1] VotersOutgoing:[] Learners:[] LearnersNext:[] AutoLeave:false

stabilize
----
> 2 receiving messages
  1->2 MsgSnap Term:1 Log:0/0
    Snapshot: Index:6 Term:1 ConfState:Voters:[1] VotersOutgoing:[] Learners:[] LearnersNext:[] AutoLeave:false
  INFO 2 [term: 0] received a MsgSnap message with higher term from 1 [term: 1]
  INFO 2 became follower at term 1
  WARN 2 attempted to restore snapshot but it is not in the ConfState; should never happen
  INFO 2 [commit: 5] ignored snapshot [index: 6, term: 1]
> 2 handling Ready
  Ready MustSync=true:
  Lead:1 State:StateFollower
  HardState Term:1 Commit:5
  Messages:
  2->1 MsgAppResp Term:1 Log:0/5
> 1 receiving messages
  2->1 MsgAppResp Term:1 Log:0/5
  raft: cannot step as peer not found
`);
});

test('stabilize leaves what lies with nodes that it does not name, and gives its level back', () => {
  expectPass(`${THREE}log-level info
----
ok

tick-heartbeat 1
----
ok

stabilize 3 1 log-level=DEBUG
----
> 1 handling Ready
  Ready MustSync=false:
  Messages:
  1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
> 3 receiving messages
  1->3 MsgHeartbeat Term:1 Log:0/0 Commit:11
> 3 handling Ready
  Ready MustSync=false:
  Messages:
  3->1 MsgHeartbeatResp Term:1 Log:0/0
> 1 receiving messages
  3->1 MsgHeartbeatResp Term:1 Log:0/0

report-unreachable 1 3
----
ok

log-level debug
----
ok

report-unreachable 1 2
----
DEBUG 1 failed to send message to 2 because it is unreachable [StateProbe match=11 next=12]

report-unreachable 1 9
----
DEBUG 1 no progress available for 9

forget-leader 1
----
ok

forget-leader 2
----
INFO 2 forgetting leader 1 at term 1

deliver-msgs drop=(2)
----
dropped: 1->2 MsgHeartbeat Term:1 Log:0/0 Commit:11

stabilize log-level=quiet
----
log levels must be either of [DEBUG INFO WARN ERROR FATAL NONE]

status 1
----
1: StateReplicate match=11 next=12
2: StateProbe match=11 next=12
3: StateProbe match=11 next=12
`);
});
