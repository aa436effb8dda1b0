import { CheckFailure } from './failure.ts';
import {
  byKey,
  isUnknown,
  mayChange,
  type Operation,
  operationWords,
  type ScanObservation,
} from './history.ts';
import { type Item, longestSeen, prepare } from './items.ts';
import { BLANK, type RegisterState, stateKey, stateWords, step } from './register-model.ts';

/**
 * Is there an order of the operations, one moment for each between its call and its answer, in which a
 * single register would have given these answers? (Herlihy and Wing.) The search of Wing and Gong is made
 * lazily, as Lowe proposed: walking along the history, an operation is put in place only when some answer
 * must be explained, and equal situations are searched once. A situation is a state of the register and the
 * set of operations already in place. Keys are independent, so each is searched alone.
 *
 * Writes of unknown outcome stay open for ever and need not be used. Two rules keep them from multiplying:
 * of two situations with the same state, the one that used fewer of them can do all that the other can; and
 * where written values are unique, a write is either seen by somebody, and then has a latest moment, or not
 * seen, and then may be left out.
 *
 * At a moment when no answer is outstanding, a history falls apart into a past, which is only a set of
 * possible states, and a future: that is where reports begin.
 */

export interface LinearizabilityOptions {
  /** No written or appended value is, or is a part of, another one on the same key. */
  readonly uniqueValues: boolean;
  /** Situations alive at one moment; more is a failure ("too large"), never a pass. */
  readonly situationsMax?: number;
}

const SITUATIONS_MAX = 20_000;
const SLOTS_MAX = 31;

interface Situation {
  readonly state: RegisterState;
  /** One bit per open operation: already in place. */
  readonly placed: number;
}

type Situations = Map<string, Situation>;

interface Trouble {
  readonly kind: 'contradiction' | 'too large';
  readonly item: Item;
  /** Possible states just before the answer that cannot be explained. */
  readonly states: readonly RegisterState[];
  /** Position of the last moment at which no answer was outstanding. */
  readonly windowFrom: number;
  readonly windowStates: readonly RegisterState[];
}

/** Throws {@link CheckFailure} unless every key is linearizable. */
export function checkLinearizability(
  operations: readonly Operation[],
  scans: readonly ScanObservation[],
  options: LinearizabilityOptions,
): void {
  for (const [key, list] of byKey(operations, scans)) checkKey(key, list, options);
}

/** One key; `operations` in order of invocation. */
export function checkKey(
  key: string,
  operations: readonly Operation[],
  options: LinearizabilityOptions,
): void {
  const trouble = search(operations, options);
  if (trouble === undefined) return;
  if (trouble.kind === 'too large') {
    throw new CheckFailure(
      'linearizability',
      `key ${key}: the history is too large to decide around position ${trouble.windowFrom}`,
      tell(trouble, operations),
    );
  }
  const { history, trouble: smallest } = shrink(operations, trouble, options);
  throw new CheckFailure(
    'linearizability',
    `key ${key}: no order of the operations explains "${operationWords(smallest.item.operation)}"`,
    tell(smallest, history),
    smallest.item.operation.respondedMs,
  );
}

function search(operations: readonly Operation[], options: LinearizabilityOptions): Trouble | undefined {
  const items = prepare(operations, options.uniqueValues);
  const longest = longestSeen(items);
  const calls = items.toSorted((left, right) => left.operation.invokedAt - right.operation.invokedAt);
  const answers = items
    .filter((item) => item.until !== Number.POSITIVE_INFINITY)
    .sort((left, right) => left.until - right.until);
  const open: Item[] = [];
  let used = 0;
  let situations: Situations = new Map([[stateKey(BLANK), { state: BLANK, placed: 0 }]]);
  let outstanding = 0;
  let windowFrom = 0;
  let window = situations;
  let nextCall = 0;
  for (const answer of answers) {
    for (; nextCall < calls.length; nextCall++) {
      const item = calls[nextCall] as Item;
      if (item.operation.invokedAt > answer.until) break;
      if (outstanding === 0) {
        windowFrom = item.operation.invokedAt;
        window = situations;
      }
      if (open.length === SLOTS_MAX) return trouble('too large', item, situations, windowFrom, window);
      item.slot = 31 - Math.clz32(~used & -~used);
      used |= bit(item.slot);
      open.push(item);
      if (item.until !== Number.POSITIVE_INFINITY) outstanding++;
      situations = enter(situations, open, item);
    }
    const before = situations;
    const after = explain(situations, open, answer, longest, options.situationsMax ?? SITUATIONS_MAX);
    if (after === undefined || after.size === 0) {
      const kind = after === undefined ? 'too large' : 'contradiction';
      return trouble(kind, answer, before, windowFrom, window);
    }
    open.splice(open.indexOf(answer), 1);
    used &= ~bit(answer.slot);
    outstanding--;
    situations = prune(after, open);
  }
  return undefined;
}

function trouble(
  kind: Trouble['kind'],
  item: Item,
  before: Situations,
  windowFrom: number,
  window: Situations,
): Trouble {
  return { kind, item, states: statesOf(before), windowFrom, windowStates: statesOf(window) };
}

function keyOf(situation: Situation): string {
  return `${situation.placed}|${stateKey(situation.state)}`;
}

function bit(slot: number): number {
  return 1 << slot;
}

/** An operation that changes nothing in this very state: putting it in place at once loses no possibility. */
function isReadHere(state: RegisterState, item: Item): boolean {
  const { outcome } = item;
  const { call } = item.operation;
  if (call.kind !== 'get' && outcome.kind !== 'conflict') return false;
  return step(state, call, outcome) === state;
}

function settle(situation: Situation, open: readonly Item[]): Situation {
  let { placed } = situation;
  for (const item of open) {
    if ((placed & bit(item.slot)) !== 0) continue;
    if (isReadHere(situation.state, item)) placed |= bit(item.slot);
  }
  return placed === situation.placed ? situation : { state: situation.state, placed };
}

/**
 * Versions only rise. Where one that is still to be explained has been passed already, nothing can come of it:
 * without this, twenty appends that end together would be tried in every order.
 */
function isDoomed(state: RegisterState, placed: number, open: readonly Item[]): boolean {
  for (const item of open) {
    const { outcome } = item;
    if ((placed & bit(item.slot)) !== 0 || item.until === Number.POSITIVE_INFINITY) continue;
    if (outcome.kind !== 'ok' && outcome.kind !== 'found' && outcome.kind !== 'conflict') continue;
    const { version = 0 } = outcome;
    if (version === 0) continue;
    if (version < state.version) return true;
    const isStillTrue = outcome.kind !== 'ok' && state.exact;
    if (version === state.version && !isStillTrue) return true;
  }
  return false;
}

function enter(situations: Situations, open: readonly Item[], item: Item): Situations {
  const { call, outcome } = item.operation;
  if (call.kind !== 'get' && outcome.kind !== 'conflict') return situations;
  let next: Situations | undefined;
  for (const situation of situations.values()) {
    if (!isReadHere(situation.state, item)) continue;
    next = new Map();
    break;
  }
  if (next === undefined) return situations;
  for (const situation of situations.values()) {
    const settled = settle(situation, open);
    next.set(keyOf(settled), settled);
  }
  return next;
}

/** All situations in which the answer is explained; undefined when there are too many to try. */
function explain(
  situations: Situations,
  open: readonly Item[],
  answer: Item,
  longest: string | undefined,
  situationsMax: number,
): Situations | undefined {
  const after: Situations = new Map();
  const seen = new Set<string>(situations.keys());
  const stack = [...situations.values()];
  const own = bit(answer.slot);
  for (let situation = stack.pop(); situation !== undefined; situation = stack.pop()) {
    if ((situation.placed & own) !== 0) {
      const done = { state: situation.state, placed: situation.placed & ~own };
      after.set(keyOf(done), done);
      continue;
    }
    for (const item of open) {
      if ((situation.placed & bit(item.slot)) !== 0) continue;
      if (isTwinAhead(item, open, situation.placed)) continue;
      const state = step(situation.state, item.operation.call, item.outcome);
      if (state === undefined || isDoomed(state, situation.placed | bit(item.slot), open)) continue;
      if (longest !== undefined && !goesTogether(state.value ?? '', longest)) continue;
      const next = settle({ state, placed: situation.placed | bit(item.slot) }, open);
      const key = keyOf(next);
      if (seen.has(key)) continue;
      seen.add(key);
      if (seen.size > situationsMax) return undefined;
      stack.push(next);
    }
  }
  return after;
}

/** Of equal writes of unknown outcome the lowest slot goes first: which of them it was makes no difference. */
function isTwinAhead(item: Item, open: readonly Item[], placed: number): boolean {
  if (item.until !== Number.POSITIVE_INFINITY) return false;
  for (const other of open) {
    if (other.slot >= item.slot) continue;
    if (other.until !== Number.POSITIVE_INFINITY || (placed & bit(other.slot)) !== 0) continue;
    if (sameCall(other, item)) return true;
  }
  return false;
}

function sameCall(left: Item, right: Item): boolean {
  const a = left.operation.call;
  const b = right.operation.call;
  if (a.kind === 'delete')
    return b.kind === 'delete' && a.condition === undefined && b.condition === undefined;
  if (a.kind !== 'increment' || b.kind !== 'increment') return false;
  return a.delta === b.delta && a.condition === undefined && b.condition === undefined;
}

function goesTogether(value: string, longest: string): boolean {
  return value.length <= longest.length ? longest.startsWith(value) : value.startsWith(longest);
}

/** Drops situations that spent more open writes than another one with the same state, and can do no more. */
function prune(situations: Situations, open: readonly Item[]): Situations {
  let optional = 0;
  for (const item of open) {
    if (item.until === Number.POSITIVE_INFINITY) optional |= bit(item.slot);
  }
  if (optional === 0 || situations.size < 2) return situations;
  const byState = new Map<string, Situation[]>();
  for (const situation of situations.values()) {
    const { value, exact, version } = situation.state;
    const key = `${situation.placed & ~optional}|${exact ? version : ''}|${value === undefined ? '' : `'${value}`}`;
    const same = byState.get(key);
    if (same === undefined) byState.set(key, [situation]);
    else same.push(situation);
  }
  const kept: Situations = new Map();
  for (const same of byState.values()) {
    for (const situation of same) {
      const used = situation.placed & optional;
      const beaten = same.some((other) => {
        const theirs = other.placed & optional;
        // A lower bound of the version leaves more open than a higher one.
        if ((theirs & used) !== theirs || other.state.version > situation.state.version) return false;
        return theirs !== used || other.state.version < situation.state.version;
      });
      if (!beaten) kept.set(keyOf(situation), situation);
    }
  }
  return kept;
}

function statesOf(situations: Situations): readonly RegisterState[] {
  const states = new Map<string, RegisterState>();
  for (const { state } of situations.values()) states.set(stateKey(state), state);
  return [...states.values()];
}

/**
 * What only looked can be left out without making a good history bad. So every observation whose absence
 * keeps the history bad is noise, and goes; with it go windows before the contradiction.
 */
function shrink(
  operations: readonly Operation[],
  first: Trouble,
  options: LinearizabilityOptions,
): { readonly history: readonly Operation[]; readonly trouble: Trouble } {
  let history = operations.filter((operation) => operation.invokedAt <= first.item.until);
  let trouble = first;
  for (const operation of history.toReversed()) {
    if (mayChange(operation) || history.length > 2_000) continue;
    const without = history.filter((other) => other !== operation);
    const found = search(without, options);
    if (found?.kind !== 'contradiction') continue;
    history = without;
    trouble = found;
  }
  return { history, trouble };
}

/** A write that may have left the key in this state. */
function writerOf(
  { value, version, exact }: RegisterState,
  operations: readonly Operation[],
): Operation | undefined {
  return operations.findLast(({ call, outcome }) => {
    if (call.kind === 'get' || call.kind === 'increment' || outcome.kind === 'conflict') return false;
    const known = 'version' in outcome ? outcome.version : undefined;
    if (exact && known !== undefined && known !== version) return false;
    if (call.kind === 'delete') return value === undefined && version > 0;
    return value?.endsWith(call.value) === true;
  });
}

function tell(trouble: Trouble, operations: readonly Operation[]): string[] {
  const someStates = (states: readonly RegisterState[]): string[] => {
    const words = states.slice(0, 5).map((state) => {
      const writer = writerOf(state, operations);
      return `  ${stateWords(state)}${writer === undefined ? '' : `, by ${operationWords(writer)}`}`;
    });
    return states.length > 5 ? [...words, `  and ${states.length - 5} more`] : words;
  };
  const until = trouble.item.until;
  const open = (operation: Operation): boolean =>
    operation.invokedAt < trouble.windowFrom && isUnknown(operation) && mayChange(operation);
  return [
    'at the last moment with no answer outstanding the key may have been:',
    ...someStates(trouble.windowStates),
    ...operations.filter(open).map((operation) => `still open: ${operationWords(operation)}`),
    'then:',
    ...operations
      .filter((operation) => operation.invokedAt >= trouble.windowFrom && operation.invokedAt <= until)
      .map((operation) => `  ${operationWords(operation)}`),
    'just before the answer that nothing explains, the key may have been:',
    ...someStates(trouble.states),
  ];
}
