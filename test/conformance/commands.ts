import { EMPTY_BYTES, EntryKind, MessageKind, type RaftId } from '@flotilla/base';
import type {
  ConfChange,
  ConfChangeKind,
  ConfChangeSingle,
  ConfChangeTransition,
  Proposal,
  ReadOnlyMode,
} from '@flotilla/raft';
import { MemoryStorage } from '@flotilla/raft/testing';
import { CommandError, type Environment, TestNode } from './environment.ts';
import { LEVELS, type Level } from './output.ts';
import { type Argument, boolean, integer, MalformedError, single, type TestCase } from './parser.ts';

/** The commands of the interaction files. A command prints to the environment's output. */

const ELECTION_TICKS = 3;
const HEARTBEAT_TICKS = 1;
const UNLIMITED = Number.MAX_SAFE_INTEGER;

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

/** Bare arguments, in written order. */
function positional(test: TestCase): string[] {
  return test.args.filter(({ values }) => values.length === 0).map(({ key }) => key);
}

function numbers(test: TestCase): number[] {
  return positional(test).map(integer);
}

function firstNumber(test: TestCase): number {
  return integer(positional(test)[0]);
}

function find(test: TestCase, key: string): Argument | undefined {
  return test.args.find((argument) => argument.key === key && argument.values.length > 0);
}

function required(test: TestCase, key: string): string {
  const argument = find(test, key);
  if (argument === undefined) throw new MalformedError(`${test.command} needs ${key}=`);
  return single(argument);
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

function addNodes(env: Environment, test: TestCase): void {
  const count = firstNumber(test);
  let voters: RaftId[] = [];
  let learners: RaftId[] = [];
  let index = 0;
  let content = '';
  let inflight = 0x7fff_ffff;
  let committedBytes = UNLIMITED;
  let readOnly: ReadOnlyMode = 'safe';
  const flags = {
    asyncStorageWrites: false,
    preVote: false,
    checkQuorum: false,
    stepDownOnRemoval: false,
    disableConfChangeValidation: false,
  };
  const ascending = (values: readonly string[]): RaftId[] => values.map(integer).sort((a, b) => a - b);
  for (const argument of test.args) {
    if (argument.values.length === 0) continue;
    const { key, values } = argument;
    if (key === 'voters') voters = ascending(values);
    else if (key === 'learners') learners = ascending(values);
    else if (key === 'index') index = integer(single(argument));
    else if (key === 'content') content = single(argument);
    else if (key === 'inflight') inflight = integer(single(argument));
    else if (key === 'max-committed-size-per-ready') committedBytes = integer(single(argument));
    else if (key === 'async-storage-writes') flags.asyncStorageWrites = boolean(single(argument));
    else if (key === 'prevote') flags.preVote = boolean(single(argument));
    else if (key === 'checkquorum') flags.checkQuorum = boolean(single(argument));
    else if (key === 'step-down-on-removal') flags.stepDownOnRemoval = boolean(single(argument));
    else if (key === 'disable-conf-change-validation')
      flags.disableConfChangeValidation = boolean(single(argument));
    else if (key === 'read-only') readOnly = parseReadOnly(single(argument));
  }
  const isEmpty = voters.length === 0 && learners.length === 0 && index === 0 && content === '';
  if (!isEmpty && index <= 1) throw new CommandError('index must be specified as > 1 due to bootstrap');
  for (let made = 0; made < count; made++) {
    const storage = new MemoryStorage();
    const confState = { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false };
    const term = isEmpty ? 0 : 1;
    if (!isEmpty) storage.bootstrap(index, term, confState);
    const node = new TestNode(
      {
        ...flags,
        id: env.nodes.length + 1,
        applied: index,
        electionTicks: ELECTION_TICKS,
        heartbeatTicks: HEARTBEAT_TICKS,
        readOnly,
        disableProposalForwarding: false,
        messageBytesMax: UNLIMITED,
        committedBytesPerReadyMax: committedBytes,
        uncommittedBytesMax: UNLIMITED,
        inflightMessagesMax: inflight,
        inflightBytesMax: UNLIMITED,
        random: env.random,
        logger: env.output,
      },
      storage,
      { index, term, confState, data: new TextEncoder().encode(content) },
    );
    env.nodes.push(node);
  }
}

function parseReadOnly(text: string): ReadOnlyMode {
  if (text === 'safe' || text === 'lease-based') return text;
  throw new CommandError(`invalid read-only option "${text}"`);
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

const TRANSITIONS = new Map<string, ConfChangeTransition>([
  ['auto', 'auto'],
  ['implicit', 'joint-implicit'],
  ['explicit', 'joint-explicit'],
]);

const OPERATIONS = new Map<string, ConfChangeKind>([
  ['v', 'add-voter'],
  ['l', 'add-learner'],
  ['r', 'remove'],
  ['u', 'update'],
]);

export function parseOperations(text: string): ConfChangeSingle[] {
  if (text === '') return [];
  return text.split(' ').map((token) => {
    if (token.length < 2) throw new CommandError(`unknown token ${token}`);
    const kind = OPERATIONS.get(token[0] as string);
    if (kind === undefined) throw new CommandError(`unknown input: ${token}`);
    return { kind, id: integer(token.slice(1)) };
  });
}

function proposeConfChange(env: Environment, test: TestCase): void {
  let isV1 = false;
  let transition: ConfChangeTransition = 'auto';
  for (const argument of test.args.slice(1)) {
    if (argument.key === 'v1') {
      isV1 = boolean(single(argument));
    } else if (argument.key === 'transition') {
      const name = single(argument);
      const found = TRANSITIONS.get(name);
      if (found === undefined) throw new CommandError(`unknown transition ${name}`);
      transition = found;
    } else {
      throw new CommandError(`unknown command ${argument.key}`);
    }
  }
  const changes = parseOperations(test.input);
  if (isV1 && (changes.length !== 1 || transition !== 'auto')) {
    throw new CommandError('v1 conf change can only have one operation and no transition');
  }
  const change: ConfChange = { transition, changes, context: EMPTY_BYTES };
  const { raft } = env.node(firstNumber(test));
  accept(raft.proposeConfChange(change, isV1 ? EntryKind.confChange : EntryKind.confChangeV2));
}

const COMMANDS = new Map<string, Command>([
  ['_breakpoint', () => {}],
  ['add-nodes', addNodes],
  ['campaign', (env, test) => env.node(firstNumber(test)).raft.campaign()],
  [
    'compact',
    (env, test) => {
      const [number, index] = numbers(test);
      if (!env.node(integer(String(number))).storage.compact(integer(String(index)))) {
        throw new CommandError('requested index is unavailable due to compaction');
      }
      env.writeLog(number as number);
    },
  ],
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
    (env, test) => {
      const data = positional(test)[1];
      if (data === undefined) throw new MalformedError('propose needs data');
      accept(env.node(firstNumber(test)).raft.propose([new TextEncoder().encode(data)]));
    },
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
      const [number, peer] = numbers(test);
      env.node(integer(String(number))).raft.reportUnreachable(integer(String(peer)));
    },
  ],
  [
    'send-snapshot',
    (env, test) => {
      const [from, to] = numbers(test);
      env.sendSnapshot(integer(String(from)), integer(String(to)), MessageKind.snap);
    },
  ],
]);

function tick(env: Environment, test: TestCase, count: number): void {
  const { raft } = env.node(firstNumber(test));
  for (let done = 0; done < count; done++) raft.tick();
}
