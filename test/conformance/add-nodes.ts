import type { RaftId } from '@flotilla/base';
import type { ReadOnlyMode } from '@flotilla/raft';
import { MemoryStorage } from '@flotilla/raft/testing';
import { firstNumber } from './arguments.ts';
import { CommandError, type Environment } from './environment.ts';
import { type Argument, boolean, integer, single, type TestCase } from './parser.ts';
import { type NodeConfig, TestNode } from './test-node.ts';

/** The command `add-nodes`: what its arguments say about the nodes. */

export const ELECTION_TICKS = 3;
export const HEARTBEAT_TICKS = 1;
const UNLIMITED = Number.MAX_SAFE_INTEGER;

type Settings = { -readonly [Name in keyof NodeConfig]: NodeConfig[Name] };

export function addNodes(env: Environment, test: TestCase): void {
  const count = firstNumber(test);
  const settings: Settings = {
    id: 0,
    applied: 0,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
    asyncStorageWrites: false,
    preVote: false,
    checkQuorum: false,
    readOnly: 'safe',
    stepDownOnRemoval: false,
    disableConfChangeValidation: false,
    disableProposalForwarding: false,
    messageBytesMax: UNLIMITED,
    committedBytesPerReadyMax: UNLIMITED,
    uncommittedBytesMax: UNLIMITED,
    inflightMessagesMax: 0x7fff_ffff,
    inflightBytesMax: UNLIMITED,
    random: env.random,
    logger: env.output,
  };
  let voters: RaftId[] = [];
  let learners: RaftId[] = [];
  let content = '';
  for (const argument of test.args) {
    const { key, values } = argument;
    if (values.length === 0) continue;
    if (key === 'voters') voters = ascending(values);
    else if (key === 'learners') learners = ascending(values);
    else if (key === 'index') settings.applied = integer(single(argument));
    else if (key === 'content') content = single(argument);
    else set(settings, argument);
  }
  const index = settings.applied;
  const isEmpty = voters.length === 0 && learners.length === 0 && index === 0 && content === '';
  if (!isEmpty && index <= 1) throw new CommandError('index must be specified as > 1 due to bootstrap');
  for (let made = 0; made < count; made++) {
    const storage = new MemoryStorage();
    const confState = { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false };
    const term = isEmpty ? 0 : 1;
    if (!isEmpty) storage.bootstrap(index, term, confState);
    const initial = { index, term, confState, data: new TextEncoder().encode(content) };
    env.nodes.push(new TestNode({ ...settings, id: env.nodes.length + 1 }, storage, initial));
  }
}

/** What is not known is ignored, as etcd's harness does it: variants of its files come with arguments of their own. */
function set(settings: Settings, argument: Argument): void {
  switch (argument.key) {
    case 'inflight':
      settings.inflightMessagesMax = integer(single(argument));
      break;
    case 'max-committed-size-per-ready':
      settings.committedBytesPerReadyMax = integer(single(argument));
      break;
    case 'async-storage-writes':
      settings.asyncStorageWrites = boolean(single(argument));
      break;
    case 'prevote':
      settings.preVote = boolean(single(argument));
      break;
    case 'checkquorum':
      settings.checkQuorum = boolean(single(argument));
      break;
    case 'read-only':
      settings.readOnly = parseReadOnly(single(argument));
      break;
    case 'step-down-on-removal':
      settings.stepDownOnRemoval = boolean(single(argument));
      break;
    case 'disable-conf-change-validation':
      settings.disableConfChangeValidation = boolean(single(argument));
      break;
    // The rest is ours, see test/scenarios/raft.
    case 'disable-proposal-forwarding':
      settings.disableProposalForwarding = boolean(single(argument));
      break;
    case 'max-size-per-msg':
      settings.messageBytesMax = integer(single(argument));
      break;
    case 'max-inflight-bytes':
      settings.inflightBytesMax = integer(single(argument));
      break;
    case 'max-uncommitted-size':
      settings.uncommittedBytesMax = integer(single(argument));
      break;
  }
}

function ascending(values: readonly string[]): RaftId[] {
  return [...new Set(values.map(integer))].sort((left, right) => left - right);
}

function parseReadOnly(text: string): ReadOnlyMode {
  if (text === 'safe' || text === 'lease-based') return text;
  throw new CommandError(`invalid read-only option "${text}"`);
}
