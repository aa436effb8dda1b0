import { EntryKind, type RaftId } from '@flotilla/base';
import type { Proposal } from '@flotilla/raft';
import { addNodes, ELECTION_TICKS, HEARTBEAT_TICKS } from './add-nodes.ts';
import { find, firstNumber, numbers, positional, required, twoNumbers, word } from './arguments.ts';
import { parseConfChange } from './conf-change-input.ts';
import { CommandError, type Environment } from './environment.ts';
import { LEVELS, type Level } from './output.ts';
import { integer, MalformedError, single, type TestCase } from './parser.ts';

/** The commands of the interaction files. A command prints to the environment's output. */

type Command = (env: Environment, test: TestCase) => void;

/** Runs a case; the text to compare. */
export function runInteraction(env: Environment, test: TestCase): string {
  env.output.take();
  const command = COMMANDS.get(test.command);
  let problem = '';
  try {
    if (command === undefined) throw new CommandError('unknown command');
    command(env, test);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    problem = error.message;
  }
  if (problem !== '' && env.output.level === 'NONE') return problem;
  const text = env.output.take() + problem;
  return text === '' ? 'ok' : text;
}

/** For commands that take one node or several: several are announced and indented. */
function forEachNode(env: Environment, test: TestCase, title: string, run: (number: number) => void): void {
  const list = numbers(test);
  const only = list[0];
  if (only === undefined) throw new MalformedError(`${test.command} needs a node`);
  if (list.length === 1) {
    run(only);
    return;
  }
  for (const number of list) {
    env.output.write(`> ${number} ${title}\n`);
    env.output.indented(() => run(number));
  }
}

function accept(proposal: Proposal): void {
  if (proposal.accepted) return;
  // A change that was refused for what is under way has left an empty entry in its place.
  const { reason } = proposal;
  const replaced =
    reason === 'conf-change-pending' || reason === 'conf-change-joint' || reason === 'conf-change-not-joint';
  if (reason !== 'forwarded' && !replaced) throw new CommandError('raft proposal dropped');
}

function parseLevel(text: string): Level {
  const level = LEVELS.find((name) => name === text.toUpperCase());
  if (level === undefined) throw new CommandError(`log levels must be either of [${LEVELS.join(' ')}]`);
  return level;
}

function deliverMessages(env: Environment, test: TestCase): void {
  const recipients: { to: RaftId; drop: boolean }[] = [];
  let kindName: string | undefined;
  for (const { key, values } of test.args) {
    if (values.length === 0) recipients.push({ to: integer(key), drop: false });
    else if (key === 'type') kindName = values[0];
    else if (key === 'drop') {
      for (const value of values) recipients.push({ to: integer(value), drop: true });
    } else throw new MalformedError(`deliver-msgs does not know ${key}`);
  }
  for (const { to, drop } of recipients) {
    if (drop && recipients.some((other) => other.to === to && !other.drop)) {
      throw new MalformedError(`messages to ${to} are delivered and dropped`);
    }
  }
  let count = 0;
  for (const { to, drop } of recipients) count += env.deliver(to, kindName, drop);
  if (count === 0) env.output.write('no messages');
}

function stabilize(env: Environment, test: TestCase): void {
  const list = numbers(test);
  const before = env.output.level;
  const level = find(test, 'log-level');
  if (level !== undefined) env.output.level = parseLevel(single(level));
  try {
    env.stabilize(list.length > 0 ? list : env.nodes.map((_, at) => at + 1));
  } finally {
    env.output.level = before;
  }
}

function proposeConfChange(env: Environment, test: TestCase): void {
  const { change, isV1 } = parseConfChange(test);
  const { raft } = env.node(firstNumber(test));
  accept(raft.proposeConfChange(change, isV1 ? EntryKind.confChange : EntryKind.confChangeV2));
}

function compact(env: Environment, test: TestCase): void {
  const [number, index] = twoNumbers(test);
  if (!env.node(number).storage.compact(index)) {
    throw new CommandError('requested index is unavailable due to compaction');
  }
  env.writeLog(number);
}

function reportSnapshot(env: Environment, test: TestCase): void {
  const [number, peer] = twoNumbers(test);
  const status = required(test, 'status');
  if (status !== 'success' && status !== 'failure') throw new MalformedError(`unknown status ${status}`);
  env.node(number).raft.reportSnapshot(peer, status === 'success');
}

function restart(env: Environment, test: TestCase): void {
  const applied = find(test, 'applied');
  env.node(firstNumber(test)).restart(applied === undefined ? undefined : integer(single(applied)));
}

const COMMANDS = new Map<string, Command>([
  ['_breakpoint', () => {}],
  ['add-nodes', addNodes],
  ['campaign', (env, test) => env.node(firstNumber(test)).raft.campaign()],
  ['compact', compact],
  ['deliver-msgs', deliverMessages],
  [
    'process-ready',
    (env, test) => forEachNode(env, test, 'handling Ready', (number) => env.processReady(number)),
  ],
  [
    'process-append-thread',
    (env, test) =>
      forEachNode(env, test, 'processing append thread', (number) => env.processAppendThread(number)),
  ],
  [
    'process-apply-thread',
    (env, test) =>
      forEachNode(env, test, 'processing apply thread', (number) => env.processApplyThread(number)),
  ],
  ['stabilize', stabilize],
  [
    'log-level',
    (env, test) => {
      env.output.level = parseLevel(positional(test)[0] ?? '');
    },
  ],
  ['raft-log', (env, test) => env.writeLog(firstNumber(test))],
  ['raft-state', (env) => env.writeStates()],
  ['status', (env, test) => env.writeStatus(firstNumber(test))],
  ['tick-election', (env, test) => tick(env, test, ELECTION_TICKS)],
  ['tick-heartbeat', (env, test) => tick(env, test, HEARTBEAT_TICKS)],
  [
    'set-randomized-election-timeout',
    (env, test) =>
      env.node(firstNumber(test)).raft.overrideElectionTimeout(integer(required(test, 'timeout'))),
  ],
  [
    'propose',
    (env, test) => accept(env.node(firstNumber(test)).raft.propose([new TextEncoder().encode(word(test))])),
  ],
  ['propose-conf-change', proposeConfChange],
  [
    'transfer-leadership',
    (env, test) => {
      const from = integer(required(test, 'from'));
      env.node(from).raft.transferLeader(integer(required(test, 'to')));
    },
  ],
  ['forget-leader', (env, test) => env.node(firstNumber(test)).raft.forgetLeader()],
  [
    'report-unreachable',
    (env, test) => {
      const [number, peer] = twoNumbers(test);
      env.node(number).raft.reportUnreachable(peer);
    },
  ],
  ['send-snapshot', (env, test) => env.sendSnapshot(...twoNumbers(test))],
  // The rest is ours, see test/scenarios/raft.
  [
    'read-index',
    (env, test) => {
      if (!env.node(firstNumber(test)).raft.readIndex(new TextEncoder().encode(word(test)))) {
        throw new CommandError('read dropped');
      }
    },
  ],
  ['report-snapshot', reportSnapshot],
  ['restart', restart],
]);

function tick(env: Environment, test: TestCase, count: number): void {
  const { raft } = env.node(firstNumber(test));
  for (let done = 0; done < count; done++) raft.tick();
}
