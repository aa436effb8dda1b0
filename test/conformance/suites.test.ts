import { expect, test } from 'vitest';
import { parseFile } from './parser.ts';
import { runCases } from './runner.ts';

/** The quorum and confchange commands, above all what etcd's own files never use. */

function expectPass(suite: 'quorum' | 'confchange', text: string): void {
  expect(runCases(suite, 'file', parseFile(text), () => 0).difference).toBeUndefined();
}

test('values go to voters as written, first half first, whatever the order of the arguments', () => {
  expectPass(
    'quorum',
    `committed idx=(100,_,50) cfgj=(2) cfg=(3,1)
----
       idx
?        0    (id=1)
x>      50    (id=2)
xx>    100    (id=3)
0
`,
  );
});

test('ids are hexadecimal in bar charts, and indexes wider than five digits push the line out', () => {
  expectPass(
    'quorum',
    `committed cfg=(10,255,1) idx=(123456,7,7)
----
       idx
>        7    (id=1)
xx>  123456    (id=a)
>        7    (id=ff)
7
`,
  );
});

test('voters may overlap, be named twice, and come in any order', () => {
  expectPass(
    'quorum',
    `committed cfg=(3,2,2) cfgj=(2,4) idx=(5,9,7)
----
       idx
xx>      9    (id=2)
>        5    (id=3)
x>       7    (id=4)
5

vote cfgj=(4,4) votes=(y,n) cfg=(2)
----
VoteLost
`,
  );
});

test('an empty half decides nothing, two empty halves agree', () => {
  expectPass(
    'quorum',
    `committed cfgj=zero
----
<empty majority quorum>∞

vote cfgj=zero
----
VoteWon

vote cfg=(1) cfgj=zero votes=(_)
----
VotePending

committed cfgj=(1) idx=(12)
----
     idx
>     12    (id=1)
12
`,
  );
});

test('too few and too many values are an error of the case', () => {
  const file = parseFile(
    'vote cfg=(1,2) votes=(y)\n----\n\nvote cfg=(1) votes=(y,n)\n----\n\ncommitted cfg=(1)\n----\n',
  );
  for (const one of file) {
    const { difference } = runCases('quorum', 'file', [one], () => 0);
    expect(difference).toContain('error: mismatched input (explicit or _) for voters ');
  }
});

test.each(['vote cfg=(1) votes=(x)', 'committed cfg=(1) idx=(0)', 'vote cfg=(a) votes=(y)', 'vote what=(1)'])(
  'a malformed argument fails the case: %s',
  (directive) => {
    const { failed, difference } = runCases('quorum', 'file', parseFile(`${directive}\n----\nok\n`), () => 0);
    expect(failed).toBe(1);
    expect(difference).toContain('threw');
  },
);

test('failed changes leave all as it was, but for the index at which the next member begins', () => {
  expectPass(
    'confchange',
    `simple
v1
----
voters=(1)
1: StateProbe match=0 next=1

simple
v2 v3
----
more than one voter changed without entering joint config

simple
x2
----
unknown input: x2

simple
v
----
unknown token v

leave-joint
v2
----
this command takes no input

leave-joint
----
can't leave a non-joint config

simple
r1
----
removed all voters

whatever
----
unknown command

simple
v11 u1 l12 v0
----
voters=(1 b) learners=(c)
1: StateProbe match=0 next=1
11: StateProbe match=0 next=8
12: StateProbe match=0 next=8 learner
`,
  );
});

test('a joint configuration is entered once, keeps who goes out, and is left by one command', () => {
  expectPass(
    'confchange',
    `enter-joint
v1
----
can't make a zero-voter config joint

simple
v1
----
voters=(1)
1: StateProbe match=0 next=1

enter-joint autoleave=T
v16 l1 l17
----
voters=(10)&&(1) learners=(11) learners_next=(1) autoleave
1: StateProbe match=0 next=1
16: StateProbe match=0 next=2
17: StateProbe match=0 next=2 learner

enter-joint autoleave=false
----
config is already joint

simple
r17
----
can't apply simple config change in joint config

leave-joint
----
voters=(10) learners=(1 11)
1: StateProbe match=0 next=1 learner
16: StateProbe match=0 next=2
17: StateProbe match=0 next=2 learner

enter-joint autoleave=0
----
voters=(10)&&(10) learners=(1 11)
1: StateProbe match=0 next=1 learner
16: StateProbe match=0 next=2
17: StateProbe match=0 next=2 learner

leave-joint
----
voters=(10) learners=(1 11)
1: StateProbe match=0 next=1 learner
16: StateProbe match=0 next=2
17: StateProbe match=0 next=2 learner
`,
  );
});

test('within one change the last word about a member counts, and a removed one begins anew', () => {
  expectPass(
    'confchange',
    `simple
v1
----
voters=(1)
1: StateProbe match=0 next=1

simple
l2
----
voters=(1) learners=(2)
1: StateProbe match=0 next=1
2: StateProbe match=0 next=1 learner

simple
r2 l2
----
voters=(1) learners=(2)
1: StateProbe match=0 next=1
2: StateProbe match=0 next=2 learner

enter-joint
r1 v2 l1
----
voters=(2)&&(1) learners_next=(1)
1: StateProbe match=0 next=1
2: StateProbe match=0 next=2
`,
  );
});
