import { type Call, isUnknown, mayChange, type Operation, type Outcome } from './history.ts';

/** An operation as the search for an order sees it. */
export interface Item {
  readonly operation: Operation;
  /** Position of its answer; infinite for one that need not have happened. */
  until: number;
  /** As answered, or as somebody else's answer shows. */
  outcome: Outcome;
  slot: number;
}

/** Leaves out what surely never happened or need not have, and finds how long each operation may take. */
export function prepare(operations: readonly Operation[], uniqueValues: boolean): Item[] {
  const relevant = operations.filter(
    (operation) =>
      operation.outcome.kind !== 'not-applied' && (mayChange(operation) || !isUnknown(operation)),
  );
  const items: Item[] = relevant.map((operation) => ({
    operation,
    until: isUnknown(operation) ? Number.POSITIVE_INFINITY : (operation.respondedAt as number),
    outcome: operation.outcome,
    slot: -1,
  }));
  if (!uniqueValues) return items;
  const unseen = (item: Item): boolean => item.until === Number.POSITIVE_INFINITY;
  const open = items.filter(unseen);
  if (open.length === 0) return items;
  const happened = items.filter((item) => !unseen(item));
  // Grows while it is walked: an unknown write that was seen may itself show that another one happened.
  for (const witness of happened) {
    for (const item of open) {
      if (witness.until < item.operation.invokedAt || !unseen(item)) continue;
      if (!sees(witness.operation, item.operation.call)) continue;
      item.until = witness.until;
      happened.push(item);
    }
  }
  for (const item of open) {
    for (const witness of happened) {
      if (witness.until < item.operation.invokedAt || witness.until >= item.until) continue;
      if (sees(witness.operation, item.operation.call)) item.until = witness.until;
    }
    const version = versionSeen(item.operation.call, happened);
    if (version !== undefined) item.outcome = { kind: 'ok', version };
  }
  if (dependsOnUnseen(happened)) return items;
  return items.filter(
    (item) =>
      !unseen(item) || item.operation.call.kind === 'delete' || item.operation.call.kind === 'increment',
  );
}

/** Does this operation, which took place, show that the written value was there before? */
function sees({ call, outcome }: Operation, write: Call): boolean {
  if (write.kind !== 'put' && write.kind !== 'append') return false;
  if (call.kind === 'get') return outcome.kind === 'found' && outcome.value.includes(write.value);
  if (outcome.kind === 'conflict' || call.condition?.kind !== 'value') return false;
  return call.condition.value.includes(write.value);
}

/** A value that ends with a write is the one that this write made, and its version is the write's. */
function versionSeen(write: Call, happened: readonly Item[]): number | undefined {
  if (write.kind !== 'put' && write.kind !== 'append') return undefined;
  for (const { operation } of happened) {
    const { outcome } = operation;
    if (outcome.kind !== 'found' || outcome.version === undefined) continue;
    const isLast = write.kind === 'put' ? outcome.value === write.value : outcome.value.endsWith(write.value);
    if (isLast) return outcome.version;
  }
  return undefined;
}

/** Do some answers depend on a write without showing its value: through presence, or a version of unknown origin? */
function dependsOnUnseen(happened: readonly Item[]): boolean {
  const versions = new Set<number>([0]);
  for (const { outcome } of happened.map((item) => item.operation)) {
    if ((outcome.kind === 'ok' || outcome.kind === 'found') && outcome.version !== undefined) {
      versions.add(outcome.version);
    }
  }
  return happened.some(({ operation: { call, outcome } }) => {
    if (call.kind === 'get') return false;
    if (outcome.kind === 'conflict') return outcome.version === undefined || !versions.has(outcome.version);
    if (call.condition?.kind === 'present') return true;
    if (call.kind === 'delete' && outcome.kind === 'ok' && outcome.version !== 0) return true;
    return call.condition?.kind === 'version' && !versions.has(call.condition.version);
  });
}

/**
 * On a key that is only appended to, every value that it ever has is a beginning of the longest one that was
 * seen, or goes on from it. Undefined where that cannot be said.
 */
export function longestSeen(items: readonly Item[]): string | undefined {
  let longest: string | undefined;
  for (const { operation } of items) {
    const { call, outcome } = operation;
    if (call.kind !== 'get' && call.kind !== 'append' && mayChange(operation)) return undefined;
    if (outcome.kind !== 'found') continue;
    if (longest === undefined || outcome.value.length > longest.length) longest = outcome.value;
  }
  return longest;
}
