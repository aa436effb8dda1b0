import { assert, type RaftId } from '@flotilla/base';
import { jointIndex, jointVote, majorityIndex, majorityVote, type VoteResult } from '@flotilla/raft/testing';
import { integer, MalformedError, type TestCase } from './parser.ts';

/** Runs a case of the quorum files. Every result is computed in several ways that have to agree. */
export function runQuorum(test: TestCase): string {
  let voters: RaftId[] = [];
  let outgoing: RaftId[] = [];
  let isJoint = false;
  let values: readonly string[] = [];
  for (const { key, values: given } of test.args) {
    if (key === 'cfg') voters = [...new Set(given.map(integer))];
    else if (key === 'cfgj') {
      isJoint = true;
      outgoing = given.length === 1 && given[0] === 'zero' ? [] : [...new Set(given.map(integer))];
    } else if (key === 'idx' || key === 'votes') values = given;
    else throw new MalformedError(`unknown argument ${key}`);
  }
  const all = [...new Set([...voters, ...outgoing])];
  if (test.command === 'vote') {
    const votes = assign(all, values, (text) => {
      if (text !== 'y' && text !== 'n') throw new MalformedError(`not a vote: ${text}`);
      return text === 'y';
    });
    if (typeof votes === 'string') return votes;
    return `Vote${capital(vote(voters, outgoing, isJoint, (id) => votes.get(id)))}\n`;
  }
  if (test.command !== 'committed') return 'unknown command';
  const indexes = assign(all, values, (text) => {
    const index = integer(text);
    if (index === 0) throw new MalformedError('index 0 is written _');
    return index;
  });
  if (typeof indexes === 'string') return indexes;
  const index = committed(voters, outgoing, isJoint, (id) => indexes.get(id));
  return `${describe(all, indexes)}${index === Number.POSITIVE_INFINITY ? '∞' : index}\n`;
}

/** Hands the values out in the order in which the voters are written; `_` leaves one without. */
function assign<Value>(
  ids: readonly RaftId[],
  values: readonly string[],
  parse: (text: string) => Value,
): Map<RaftId, Value> | string {
  if (values.length !== ids.length && !(values.length === 0 && ids.length === 0)) {
    return `error: mismatched input (explicit or _) for voters [${ids.join(' ')}]: [${values.join(' ')}]\n`;
  }
  const assigned = new Map<RaftId, Value>();
  values.forEach((text, at) => {
    if (text !== '_') assigned.set(ids[at] as RaftId, parse(text));
  });
  return assigned;
}

function vote(
  voters: readonly RaftId[],
  outgoing: readonly RaftId[],
  isJoint: boolean,
  voteOf: (id: RaftId) => boolean | undefined,
): VoteResult {
  const result = isJoint ? jointVote(voters, outgoing, voteOf) : majorityVote(voters, voteOf);
  assert(jointVote(outgoing, voters, voteOf) === result || !isJoint, 'halves may be swapped');
  if (!isJoint) {
    assert(jointVote(voters, [], voteOf) === result, 'an empty half changes nothing');
    assert(jointVote(voters, voters, voteOf) === result, 'the same half twice changes nothing');
  }
  return result;
}

function committed(
  voters: readonly RaftId[],
  outgoing: readonly RaftId[],
  isJoint: boolean,
  indexOf: (id: RaftId) => number | undefined,
): number {
  const result = isJoint ? jointIndex(voters, outgoing, indexOf) : majorityIndex(voters, indexOf);
  if (isJoint) assert(jointIndex(outgoing, voters, indexOf) === result, 'halves may be swapped');
  else {
    assert(jointIndex(voters, [], indexOf) === result, 'an empty half changes nothing');
    assert(jointIndex(voters, voters, indexOf) === result, 'the same half twice changes nothing');
  }
  const naive = Math.min(naiveIndex(voters, indexOf), naiveIndex(outgoing, indexOf));
  assert(naive === result, () => `counting gives ${naive}, sorting ${result}`);
  // Whoever is below the result may as well be at 0, and one of them further down changes nothing.
  for (const low of [...voters, ...outgoing]) {
    if ((indexOf(low) ?? 0) >= result) continue;
    const lowered = (id: RaftId): number | undefined => (id === low ? 0 : indexOf(id));
    assert(jointIndex(voters, outgoing, lowered) === result, () => `lowering ${low} changes the result`);
  }
  return result;
}

/** By definition: the largest index such that a majority has it. */
function naiveIndex(voters: readonly RaftId[], indexOf: (id: RaftId) => number | undefined): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  let best = 0;
  for (const candidate of voters) {
    const index = indexOf(candidate) ?? 0;
    const having = voters.filter((id) => (indexOf(id) ?? 0) >= index).length;
    if (having * 2 > voters.length && index > best) best = index;
  }
  return best;
}

/** A bar chart of the indexes. The length of a bar is the rank of its voter; equal indexes share one. */
function describe(ids: readonly RaftId[], indexes: ReadonlyMap<RaftId, number>): string {
  const count = ids.length;
  if (count === 0) return '<empty majority quorum>';
  const indexOf = (id: RaftId): number => indexes.get(id) ?? 0;
  const ranked = [...ids].sort((left, right) => indexOf(left) - indexOf(right) || left - right);
  const bars = new Map<RaftId, number>();
  ranked.forEach((id, at) => {
    const previous = ranked[at - 1];
    if (previous === undefined) bars.set(id, 0);
    else bars.set(id, indexOf(id) > indexOf(previous) ? at : (bars.get(previous) as number));
  });
  let text = `${' '.repeat(count)}    idx\n`;
  for (const id of [...ids].sort((left, right) => left - right)) {
    const bar = bars.get(id) as number;
    const known = indexes.has(id);
    const picture = known ? `${'x'.repeat(bar)}>${' '.repeat(count - bar)}` : `?${' '.repeat(count)}`;
    text += `${picture} ${String(indexOf(id)).padStart(5)}    (id=${id.toString(16)})\n`;
  }
  return text;
}

function capital(text: string): string {
  return (text[0] as string).toUpperCase() + text.slice(1);
}
