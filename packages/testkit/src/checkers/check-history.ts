import { checkAppends, checkCounter, splitAtSemicolons } from './exactly-once.ts';
import { byKey, isUnknown, mayChange, type Operation } from './history.ts';
import type { RecordedHistory } from './history-lines.ts';
import { checkKey } from './linearizability.ts';
import { checkScans } from './scans.ts';

/**
 * Everything that can be said of a history alone. Keys begin absent. A key on which nothing but appends (or
 * nothing but increments) was tried, and that was read when all of them had ended, is counted, too: those
 * failures say more than that no order was found, and need no search. Throws a `CheckFailure`.
 */
export function checkHistory({ operations, scans }: RecordedHistory): void {
  checkScans(operations, scans);
  for (const [key, list] of byKey(operations, scans)) {
    const last = finalRead(list);
    const kind = onlyKind(list);
    const uniqueValues = hasUniqueValues(list);
    if (last !== undefined && kind === 'append' && uniqueValues && list.every(endsInSemicolon)) {
      checkAppends(key, list, valueIn(last), splitAtSemicolons);
    }
    if (last !== undefined && kind === 'increment') checkCounter(key, list, valueIn(last));
    checkKey(key, list, { uniqueValues });
  }
}

/** Looking for each value in all of them costs their product; beyond this the search does without. */
const UNIQUE_LOOK_MAX = 1e9;

/** The one kind of all writes, if no condition can have kept one from happening. */
function onlyKind(list: readonly Operation[]): Operation['call']['kind'] | undefined {
  const kinds = new Set<Operation['call']['kind']>();
  for (const { call } of list) {
    if (call.kind === 'get') continue;
    if (call.condition !== undefined) return undefined;
    kinds.add(call.kind);
  }
  const [kind, other] = kinds;
  return other === undefined ? kind : undefined;
}

/** A read that was called after everything else had been answered, if there is one. */
function finalRead(list: readonly Operation[]): Operation | undefined {
  const last = list.findLast(({ call, outcome }) => call.kind === 'get' && hasSeen(outcome.kind));
  if (last === undefined) return undefined;
  const isLast = list.every((each) =>
    each === last || each.invokedAt > last.invokedAt
      ? !mayChange(each)
      : isUnknown(each) || (each.respondedAt as number) < last.invokedAt || !mayChange(each),
  );
  return isLast ? last : undefined;
}

function hasSeen(kind: Operation['outcome']['kind']): boolean {
  return kind === 'found' || kind === 'absent';
}

function valueIn({ outcome }: Operation): string | undefined {
  return outcome.kind === 'found' ? outcome.value : undefined;
}

function endsInSemicolon({ call }: Operation): boolean {
  return call.kind !== 'append' || /^[^;]+;$/.test(call.value);
}

/**
 * Nothing that was written on this key is, or is a part of, something else that was, nor of several appends one after
 * the other: `bc` stands in `ab` and `cd`. That is so if each ends in the same character, which nothing has elsewhere.
 * Sums say nothing about who wrote them, so increments may be the only writes.
 */
function hasUniqueValues(list: readonly Operation[]): boolean {
  const values = list.flatMap(({ call }) =>
    call.kind === 'put' || call.kind === 'append' ? [call.value] : [],
  );
  const has = (kind: Operation['call']['kind']): boolean => list.some(({ call }) => call.kind === kind);
  const end = values[0]?.at(-1);
  const isEnd = (value: string): boolean => value !== '' && value.indexOf(end as string) === value.length - 1;
  if (has('increment') && values.length > 0) return false;
  if (has('append') && !values.every(isEnd)) return false;
  const joined = values.join('\0');
  if (values.length * joined.length > UNIQUE_LOOK_MAX) return false;
  return values.every((value) => value !== '' && joined.indexOf(value) === joined.lastIndexOf(value));
}
