import type { Call, Condition, Outcome } from './history.ts';

/**
 * One key as a client may imagine it. Versions are revisions of a whole shard, so the model cannot predict
 * them: it only demands that they rise. After a write of unknown outcome the version is known from below.
 */
export interface RegisterState {
  /** Undefined: the key is absent. */
  readonly value: string | undefined;
  /** With `exact` the revision of the last change; otherwise that revision is higher than this. */
  readonly version: number;
  readonly exact: boolean;
}

export const BLANK: RegisterState = { value: undefined, version: 0, exact: true };

export function stateKey(state: RegisterState): string {
  return `${state.exact ? '=' : '>'}${state.version}:${state.value === undefined ? '' : `'${state.value}`}`;
}

export function stateWords(state: RegisterState): string {
  const version = state.exact ? `version ${state.version}` : `a version above ${state.version}`;
  if (state.value === undefined) return 'absent';
  const value = state.value.length <= 60 ? state.value : `…${state.value.slice(-50)}`;
  return `"${value}" with ${version}`;
}

/** The same state with its version fixed, or undefined if it cannot have that version. */
function withVersion(state: RegisterState, version: number | undefined): RegisterState | undefined {
  if (version === undefined) return state;
  if (state.exact) return state.version === version ? state : undefined;
  return version > state.version ? { value: state.value, version, exact: true } : undefined;
}

/** The state in which the condition holds, or undefined if it surely does not. */
function holding(state: RegisterState, condition: Condition | undefined): RegisterState | undefined {
  switch (condition?.kind) {
    case undefined:
      return state;
    case 'absent':
      return state.value === undefined ? state : undefined;
    case 'present':
      return state.value === undefined ? undefined : state;
    case 'value':
      return state.value === condition.value ? state : undefined;
    case 'version':
      if (condition.version === 0) return state.value === undefined ? state : undefined;
      return state.value === undefined ? undefined : withVersion(state, condition.version);
  }
}

/** The state in which the condition fails, or undefined if it surely holds. */
function failing(state: RegisterState, condition: Condition | undefined): RegisterState | undefined {
  switch (condition?.kind) {
    case undefined:
      return undefined;
    case 'absent':
      return state.value === undefined ? undefined : state;
    case 'present':
      return state.value === undefined ? state : undefined;
    case 'value':
      return state.value === condition.value ? undefined : state;
    case 'version':
      if (condition.version === 0) return state.value === undefined ? undefined : state;
      if (state.value === undefined || !state.exact) return state;
      return state.version === condition.version ? undefined : state;
  }
}

/** What the value becomes; undefined for absent, `false` if the write is impossible in this state. */
function written(state: RegisterState, call: Exclude<Call, { kind: 'get' }>): string | undefined | false {
  switch (call.kind) {
    case 'put':
      return call.value;
    case 'append':
      return (state.value ?? '') + call.value;
    case 'delete':
      return undefined;
    case 'increment': {
      const before = state.value ?? '0';
      return /^-?[0-9]+$/.test(before) ? String(BigInt(before) + BigInt(call.delta)) : false;
    }
  }
}

/**
 * The state after the operation took place in `state`, or undefined if it cannot have had this outcome
 * there. A write of unknown outcome is imagined as done; that it never happened is for the search to say.
 */
export function step(state: RegisterState, call: Call, outcome: Outcome): RegisterState | undefined {
  if (call.kind === 'get') {
    switch (outcome.kind) {
      case 'found':
        return state.value === outcome.value ? withVersion(state, outcome.version) : undefined;
      case 'absent':
        return state.value === undefined ? state : undefined;
      default:
        return state;
    }
  }
  if (outcome.kind === 'not-applied') return state;
  if (outcome.kind === 'conflict') {
    const found = failing(state, call.condition);
    if (found === undefined || outcome.version === undefined) return found;
    if (outcome.version === 0) return found.value === undefined ? found : undefined;
    if (found.value === undefined) return undefined;
    // The actual version that a conflict reports cannot be the one that was expected.
    if (call.condition?.kind === 'version' && call.condition.version === outcome.version) return undefined;
    return withVersion(found, outcome.version);
  }
  const before = holding(state, call.condition);
  if (before === undefined) return undefined;
  const value = written(before, call);
  if (value === false) return undefined;
  if (outcome.kind === 'ok' && outcome.value !== undefined && outcome.value !== value) return undefined;
  const version = outcome.kind === 'ok' ? outcome.version : undefined;
  if (call.kind === 'delete') {
    // The version of a deletion says whether there was anything: 0 if not.
    if (before.value === undefined) return version === undefined || version === 0 ? before : undefined;
    if (version === 0) return undefined;
  }
  if (version !== undefined) return version > before.version ? { value, version, exact: true } : undefined;
  return { value, version: before.exact ? before.version : before.version + 1, exact: false };
}
