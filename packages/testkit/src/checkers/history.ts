/**
 * What clients did and saw. Positions order the events of one history: of two events the one that happened
 * first has the lower position. Times are for people only.
 */

export type Condition =
  | { readonly kind: 'absent' }
  | { readonly kind: 'present' }
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'value'; readonly value: string };

export type Call =
  | { readonly kind: 'get' }
  | { readonly kind: 'put'; readonly value: string; readonly condition?: Condition }
  | { readonly kind: 'append'; readonly value: string; readonly condition?: Condition }
  | { readonly kind: 'increment'; readonly delta: number; readonly condition?: Condition }
  | { readonly kind: 'delete'; readonly condition?: Condition };

export type Outcome =
  /** A write that happened. Without a version: the answer carried none. An increment also says its result. */
  | { readonly kind: 'ok'; readonly version?: number; readonly value?: string }
  /** A read that found this. */
  | { readonly kind: 'found'; readonly value: string; readonly version?: number }
  | { readonly kind: 'absent' }
  /** A condition did not hold. The actual version, 0 for an absent key. */
  | { readonly kind: 'conflict'; readonly version?: number }
  /** It may have happened, may still happen later, or never. */
  | { readonly kind: 'unknown' }
  /** Surely never happened, and never will. */
  | { readonly kind: 'not-applied' };

export interface Operation {
  readonly client: string;
  readonly key: string;
  readonly call: Call;
  readonly invokedAt: number;
  /** Undefined while it was never answered, which counts as `unknown`. */
  readonly respondedAt: number | undefined;
  readonly outcome: Outcome;
  readonly invokedMs?: number;
  readonly respondedMs?: number;
}

/** One scan over a range of keys; every key listed, and every key not listed, is an observation. */
export interface ScanObservation {
  readonly client: string;
  readonly prefix: string;
  readonly invokedAt: number;
  readonly respondedAt: number;
  readonly records: readonly { readonly key: string; readonly value: string; readonly version?: number }[];
  /** The scan stopped at its limit: nothing is said about keys after the last one listed. */
  readonly limited: boolean;
  readonly invokedMs?: number;
  readonly respondedMs?: number;
}

export function isUnknown(operation: Operation): boolean {
  return operation.outcome.kind === 'unknown' || operation.respondedAt === undefined;
}

/** True unless the operation surely changed nothing. */
export function mayChange(operation: Operation): boolean {
  const { call, outcome } = operation;
  return call.kind !== 'get' && outcome.kind !== 'not-applied' && outcome.kind !== 'conflict';
}

function short(text: string): string {
  return text.length <= 48 ? `"${text}"` : `"${text.slice(0, 12)}…${text.slice(-30)}" (${text.length} long)`;
}

function conditionWords(condition: Condition | undefined): string {
  switch (condition?.kind) {
    case undefined:
      return '';
    case 'absent':
      return ' if absent';
    case 'present':
      return ' if present';
    case 'version':
      return ` if version ${condition.version}`;
    case 'value':
      return ` if ${short(condition.value)}`;
  }
}

export function callWords(call: Call): string {
  switch (call.kind) {
    case 'get':
      return 'get';
    case 'increment':
      return `increment by ${call.delta}${conditionWords(call.condition)}`;
    case 'delete':
      return `delete${conditionWords(call.condition)}`;
    default:
      return `${call.kind} ${short(call.value)}${conditionWords(call.condition)}`;
  }
}

export function outcomeWords(outcome: Outcome): string {
  const at = 'version' in outcome && outcome.version !== undefined ? `, version ${outcome.version}` : '';
  switch (outcome.kind) {
    case 'ok':
      return `ok${outcome.value === undefined ? '' : ` ${short(outcome.value)}`}${at}`;
    case 'found':
      return `found ${short(outcome.value)}${at}`;
    case 'conflict':
      return `conflict${at}`;
    case 'unknown':
      return 'outcome unknown';
    case 'not-applied':
      return 'not applied';
    case 'absent':
      return 'absent';
  }
}

function moment(position: number | undefined, ms: number | undefined): string {
  if (position === undefined) return '…';
  return ms === undefined ? `#${position}` : `${(ms / 1000).toFixed(4)} s`;
}

/** `c3 [1.2000 s, 1.2410 s] put "a" to k: ok, version 7` */
export function operationWords(operation: Operation): string {
  const { client, key, call, outcome } = operation;
  const span = `[${moment(operation.invokedAt, operation.invokedMs)}, ${moment(
    isUnknown(operation) ? undefined : operation.respondedAt,
    operation.respondedMs,
  )}]`;
  return `${client} ${span} ${callWords(call)} on ${key}: ${outcomeWords(outcome)}`;
}

/** The operations of each key, in order of invocation; scans count as reads of every key in their range. */
export function byKey(
  operations: readonly Operation[],
  scans: readonly ScanObservation[] = [],
): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>();
  for (const operation of operations) {
    const list = keys.get(operation.key);
    if (list === undefined) keys.set(operation.key, [operation]);
    else list.push(operation);
  }
  for (const scan of scans) {
    const last = scan.records.at(-1)?.key;
    const records = new Map(scan.records.map((record) => [record.key, record]));
    for (const [key, list] of keys) {
      if (!key.startsWith(scan.prefix)) continue;
      if (scan.limited && (last === undefined || key > last)) continue;
      const record = records.get(key);
      list.push({
        client: `${scan.client} (scan)`,
        key,
        call: { kind: 'get' },
        invokedAt: scan.invokedAt,
        respondedAt: scan.respondedAt,
        outcome: record === undefined ? { kind: 'absent' } : foundOutcome(record),
        ...(scan.invokedMs === undefined ? {} : { invokedMs: scan.invokedMs }),
        ...(scan.respondedMs === undefined ? {} : { respondedMs: scan.respondedMs }),
      });
    }
  }
  for (const list of keys.values()) list.sort((left, right) => left.invokedAt - right.invokedAt);
  return keys;
}

function foundOutcome(record: { readonly value: string; readonly version?: number }): Outcome {
  return record.version === undefined
    ? { kind: 'found', value: record.value }
    : { kind: 'found', value: record.value, version: record.version };
}
