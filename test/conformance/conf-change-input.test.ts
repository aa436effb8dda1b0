import { test } from 'vitest';
import { expectPass, THREE } from './interaction-text.ts';

/** The command `propose-conf-change`: every way to write a change, and to write it wrong. */

test('changes of membership: every way to write them wrong', () => {
  expectPass(`${THREE}propose-conf-change 1 transition=sometimes
v4
----
unknown transition sometimes

propose-conf-change 1 loud=true
v4
----
unknown command loud

propose-conf-change 1
v4 v
----
unknown token v

propose-conf-change 1
v4 x5
----
unknown input: x5

propose-conf-change 1 v1=true
v4 v5
----
v1 conf change can only have one operation and no transition

propose-conf-change 1 transition=implicit v1=true
v4
----
v1 conf change can only have one operation and no transition

propose-conf-change 1 v1=true
----
v1 conf change can only have one operation and no transition

propose-conf-change 1
----
INFO 1 ignoring conf change transition:ConfChangeTransitionAuto at config voters=(1 2 3): not in joint state; refusing empty conf change

propose-conf-change v1=false 1 transition=auto
l4 l5 u6
----
ok

process-ready 1
----
Ready MustSync=true:
Entries:
1/12 EntryNormal ""
1/13 EntryConfChangeV2 l4 l5 u6
Messages:
1->2 MsgApp Term:1 Log:1/11 Commit:11 Entries:[1/12 EntryNormal ""]
1->3 MsgApp Term:1 Log:1/11 Commit:11 Entries:[1/12 EntryNormal ""]
1->2 MsgApp Term:1 Log:1/12 Commit:11 Entries:[1/13 EntryConfChangeV2 l4 l5 u6]
1->3 MsgApp Term:1 Log:1/12 Commit:11 Entries:[1/13 EntryConfChangeV2 l4 l5 u6]
`);
});

test('a joint configuration takes no operations before it is left', () => {
  expectPass(`${THREE}propose-conf-change 1 transition=explicit
l4
----
ok

stabilize 1 2 3 log-level=none
----
ok

propose-conf-change 1
v4
----
INFO 1 ignoring conf change transition:ConfChangeTransitionAuto changes:{type:ConfChangeAddNode node_id:4} at config voters=(1 2 3)&&(1 2 3) learners=(4): must transition out of joint config first

stabilize 1 2 3 log-level=none
----
ok

propose-conf-change 1
----
ok

stabilize 1 2 3 log-level=none
----
ok

status 1
----
1: StateReplicate match=14 next=15
2: StateReplicate match=14 next=15
3: StateReplicate match=14 next=15
4: StateProbe match=0 next=12 learner paused
`);
});
