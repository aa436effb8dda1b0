import { EMPTY_BYTES } from '@flotilla/base';
import type { ConfChange, ConfChangeKind, ConfChangeSingle, ConfChangeTransition } from '@flotilla/raft';
import { CommandError } from './environment.ts';
import { boolean, integer, single, type TestCase } from './parser.ts';

/** Changes of membership as the files write them. */

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

/** The change of a `propose-conf-change` case. `context=` is ours, see test/scenarios/raft. */
export function parseConfChange(test: TestCase): { readonly change: ConfChange; readonly isV1: boolean } {
  let isV1 = false;
  let transition: ConfChangeTransition = 'auto';
  let context: Uint8Array = EMPTY_BYTES;
  const node = test.args.findIndex(({ values }) => values.length === 0);
  for (const [at, argument] of test.args.entries()) {
    if (at === node) continue;
    if (argument.key === 'v1') {
      isV1 = boolean(single(argument));
    } else if (argument.key === 'transition') {
      const name = single(argument);
      const found = TRANSITIONS.get(name);
      if (found === undefined) throw new CommandError(`unknown transition ${name}`);
      transition = found;
    } else if (argument.key === 'context') {
      context = new TextEncoder().encode(single(argument));
    } else {
      throw new CommandError(`unknown command ${argument.key}`);
    }
  }
  const changes = parseOperations(test.input);
  if (isV1 && (changes.length !== 1 || transition !== 'auto')) {
    throw new CommandError('v1 conf change can only have one operation and no transition');
  }
  return { change: { transition, changes, context }, isV1 };
}
