import { fieldsOf, flagOf, InputError, listOf, numberOf, oneOf, textOf, wholeOf } from '../input.ts';
import type { Call, Condition, Operation, Outcome, ScanObservation } from './history.ts';

/**
 * Histories as JSON, one operation a line, as a program records them that calls a cluster:
 *
 *   {"client":"a","call":"put","key":"k","value":"1","invoked":10,"responded":12.5,"outcome":"ok","version":3}
 *   {"client":"b","call":"get","key":"k","invoked":11,"responded":13,"outcome":"ok","result":"1","version":3}
 *   {"client":"b","call":"increment","key":"n","delta":2,"invoked":14,"outcome":"unknown"}
 *   {"client":"c","call":"scan","prefix":"k","invoked":15,"responded":16,"outcome":"ok","records":[…]}
 *
 * Times are milliseconds of one clock. Where a call and an answer have the same time, the call counts as the
 * earlier one: then they overlap, and nothing is demanded of their order.
 */

/** Read so far: its positions are known only when all times are. */
type Draft<T> = { -readonly [Field in keyof T]: T[Field] };

export interface RecordedHistory {
  readonly operations: readonly Operation[];
  readonly scans: readonly ScanObservation[];
}

const calls = ['get', 'put', 'append', 'increment', 'delete', 'scan'] as const;
const outcomes = ['ok', 'conflict', 'not-applied', 'unknown'] as const;
const common = ['client', 'call', 'invoked', 'responded', 'outcome'];
const conditions = ['ifAbsent', 'ifPresent', 'ifVersion', 'ifValue'];
const arguments_: Readonly<Record<(typeof calls)[number], readonly string[]>> = {
  get: ['key', 'result', 'version'],
  put: ['key', 'value', 'version', ...conditions],
  append: ['key', 'value', 'version', ...conditions],
  increment: ['key', 'delta', 'result', 'version', ...conditions],
  delete: ['key', 'version', ...conditions],
  scan: ['prefix', 'records', 'limited'],
};

/** More than that no check can hold at once. */
const LINES_MAX = 5_000_000;

/** Takes the lines of a history one by one. Throws {@link InputError}, without the number of the line. */
export class HistoryReader {
  readonly #operations: Draft<Operation>[] = [];
  readonly #scans: Draft<ScanObservation>[] = [];

  line(text: string): void {
    if (text.trim() === '') return;
    if (this.#operations.length + this.#scans.length >= LINES_MAX)
      throw new InputError(
        '',
        `a history has at most ${LINES_MAX} operations: cut it where nothing was open`,
      );
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new InputError('', `not JSON: ${(error as Error).message}`);
    }
    const verb = oneOf(fieldsOf(value, '').call, 'call', calls);
    const fields = fieldsOf(value, '', [...common, ...arguments_[verb]]);
    const invokedMs = numberOf(fields.invoked, 'invoked');
    const kind = oneOf(fields.outcome, 'outcome', outcomes);
    // The caller may know the moment at which it gave up; what is unknown may happen later all the same.
    const respondedMs = kind === 'unknown' ? undefined : numberOf(fields.responded, 'responded', invokedMs);
    const client = textOf(fields.client, 'client');
    const times = { invokedAt: 0, invokedMs, ...(respondedMs === undefined ? {} : { respondedMs }) };
    if (verb === 'scan') {
      const observed = scanOf(fields);
      if (kind === 'ok') this.#scans.push({ client, ...observed, ...times, respondedAt: 0 });
      return;
    }
    const call = callOf(verb, fields);
    const outcome = outcomeOf(kind, call, fields);
    const key = textOf(fields.key, 'key');
    this.#operations.push({ client, key, call, outcome, ...times, respondedAt: undefined });
  }

  /** Everything that was read, in one order of all calls and answers. */
  end(): RecordedHistory {
    const drafts: Draft<Operation | ScanObservation>[] = [...this.#operations, ...this.#scans];
    const moments = drafts.flatMap((draft) => {
      const { invokedMs = 0, respondedMs } = draft;
      const call = { draft, ms: invokedMs, isAnswer: false };
      return respondedMs === undefined ? [call] : [call, { draft, ms: respondedMs, isAnswer: true }];
    });
    moments.sort((left, right) => left.ms - right.ms || Number(left.isAnswer) - Number(right.isAnswer));
    let position = 0;
    for (const { draft, isAnswer } of moments) {
      position++;
      if (isAnswer) draft.respondedAt = position;
      else draft.invokedAt = position;
    }
    return { operations: this.#operations, scans: this.#scans };
  }
}

function callOf(verb: Call['kind'], fields: Readonly<Record<string, unknown>>): Call {
  const condition = conditionOf(fields);
  const guarded = condition === undefined ? {} : { condition };
  switch (verb) {
    case 'get':
      return { kind: verb };
    case 'put':
    case 'append':
      return { kind: verb, value: textOf(fields.value, 'value'), ...guarded };
    case 'increment':
      return { kind: verb, delta: wholeOf(fields.delta, 'delta', Number.MIN_SAFE_INTEGER), ...guarded };
    case 'delete':
      return { kind: verb, ...guarded };
  }
}

function conditionOf(fields: Readonly<Record<string, unknown>>): Condition | undefined {
  const given = conditions.filter((name) => fields[name] !== undefined);
  const [name, other] = given;
  if (other !== undefined)
    throw new InputError(other, `an operation has one condition, and this one has ${name}`);
  const isTrue = (at: string): void => {
    if (!flagOf(fields[at], at)) throw new InputError(at, 'leave it out where it is not demanded');
  };
  switch (name) {
    case undefined:
      return undefined;
    case 'ifAbsent':
      isTrue(name);
      return { kind: 'absent' };
    case 'ifPresent':
      isTrue(name);
      return { kind: 'present' };
    case 'ifVersion':
      return { kind: 'version', version: wholeOf(fields.ifVersion, name, 0) };
    default:
      return { kind: 'value', value: textOf(fields.ifValue, 'ifValue') };
  }
}

function outcomeOf(
  kind: (typeof outcomes)[number],
  call: Call,
  fields: Readonly<Record<string, unknown>>,
): Outcome {
  const version = fields.version === undefined ? {} : { version: wholeOf(fields.version, 'version', 0) };
  if (kind === 'conflict') {
    if (call.kind === 'get' || call.condition === undefined)
      throw new InputError('outcome', 'only an operation with a condition can end in a conflict');
    return { kind, ...version };
  }
  if (kind !== 'ok') return { kind };
  if (call.kind === 'get') {
    if (fields.result === null) return { kind: 'absent' };
    if (fields.result === undefined)
      throw new InputError('result', 'what the read found is missing; null stands for nothing');
    return { kind: 'found', value: textOf(fields.result, 'result'), ...version };
  }
  if (fields.result === undefined) return { kind, ...version };
  return { kind, ...version, value: String(wholeOf(fields.result, 'result', Number.MIN_SAFE_INTEGER)) };
}

function scanOf(
  fields: Readonly<Record<string, unknown>>,
): Pick<ScanObservation, 'prefix' | 'records' | 'limited'> {
  const records = listOf(fields.records ?? [], 'records').map((each, at) => {
    const place = `records[${at}]`;
    const { key, value, version } = fieldsOf(each, place, ['key', 'value', 'version']);
    return {
      key: textOf(key, `${place}.key`),
      value: textOf(value, `${place}.value`),
      ...(version === undefined ? {} : { version: wholeOf(version, `${place}.version`, 0) }),
    };
  });
  return {
    prefix: textOf(fields.prefix, 'prefix'),
    records,
    limited: fields.limited === undefined ? false : flagOf(fields.limited, 'limited'),
  };
}

/** An operation as a line that {@link HistoryReader} takes; times as it has them, else its positions. */
export function operationLine(operation: Operation): string {
  const { client, key, call, outcome, invokedAt, respondedAt } = operation;
  const { invokedMs = invokedAt, respondedMs = respondedAt } = operation;
  const { kind, ...given } = call;
  const { condition, ...arguments_ } = given as { condition?: Condition };
  const isOpen = respondedAt === undefined || outcome.kind === 'unknown';
  return JSON.stringify({
    client,
    call: kind,
    key,
    ...arguments_,
    ...conditionFields(condition),
    invoked: invokedMs,
    ...(respondedMs === undefined ? {} : { responded: respondedMs }),
    ...(isOpen ? { outcome: 'unknown' } : outcomeFields(outcome)),
  });
}

function conditionFields(condition: Condition | undefined): Readonly<Record<string, unknown>> {
  switch (condition?.kind) {
    case undefined:
      return {};
    case 'absent':
      return { ifAbsent: true };
    case 'present':
      return { ifPresent: true };
    case 'version':
      return { ifVersion: condition.version };
    case 'value':
      return { ifValue: condition.value };
  }
}

function outcomeFields(outcome: Outcome): Readonly<Record<string, unknown>> {
  const version = 'version' in outcome && outcome.version !== undefined ? { version: outcome.version } : {};
  switch (outcome.kind) {
    case 'found':
      return { outcome: 'ok', result: outcome.value, ...version };
    case 'absent':
      return { outcome: 'ok', result: null };
    case 'ok':
      return {
        outcome: 'ok',
        ...(outcome.value === undefined ? {} : { result: Number(outcome.value) }),
        ...version,
      };
    default:
      return { outcome: outcome.kind, ...version };
  }
}
