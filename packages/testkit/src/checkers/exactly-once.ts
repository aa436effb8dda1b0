import { CheckFailure } from './failure.ts';
import { isUnknown, type Operation, operationWords } from './history.ts';

/**
 * Appends with unique ids show what became of each single write. An acknowledged one is there exactly once;
 * one of unknown outcome at most once; one that surely did not happen, and one that nobody sent, not at all.
 * And an append that was answered before another began stands before it, whoever sent them.
 */

/** Splits the final value of a key into the ids that were appended; undefined where it is torn. */
export type SplitIds = (value: string) => readonly string[] | undefined;

/** Ids that end in `;`, which no id contains. */
export const splitAtSemicolons: SplitIds = (value) => {
  if (value === '') return [];
  if (!value.endsWith(';')) return undefined;
  return value
    .slice(0, -1)
    .split(';')
    .map((id) => `${id};`);
};

/** All operations on a key that is only appended to, and what it holds at the end (undefined: absent). */
export function checkAppends(
  key: string,
  operations: readonly Operation[],
  final: string | undefined,
  split: SplitIds = splitAtSemicolons,
): void {
  const sent = new Map<string, Operation>();
  for (const operation of operations) {
    if (operation.call.kind !== 'append') continue;
    if (sent.has(operation.call.value)) {
      throw new CheckFailure(
        'exactly once',
        `key ${key}: the workload used id ${operation.call.value} twice`,
      );
    }
    sent.set(operation.call.value, operation);
  }
  const ids = split(final ?? '');
  if (ids === undefined)
    throw new CheckFailure('exactly once', `key ${key} ends in a torn id: …${final?.slice(-60)}`);
  const places = placesOf(key, ids, sent);
  for (const [id, operation] of sent) {
    const { outcome } = operation;
    if (outcome.kind === 'ok' && !places.has(id)) {
      throw new CheckFailure('exactly once', `key ${key}: the acknowledged append ${id} is lost`, [
        operationWords(operation),
        around(ids, ids.length - 1),
      ]);
    }
    if (outcome.kind === 'not-applied' && places.has(id)) {
      throw new CheckFailure('exactly once', `key ${key}: the append ${id} was refused and yet happened`, [
        operationWords(operation),
        around(ids, places.get(id) as number),
      ]);
    }
  }
  checkOrder(key, ids, sent);
}

function placesOf(
  key: string,
  ids: readonly string[],
  sent: ReadonlyMap<string, Operation>,
): Map<string, number> {
  const places = new Map<string, number>();
  ids.forEach((id, at) => {
    const operation = sent.get(id);
    if (operation === undefined) {
      throw new CheckFailure('exactly once', `key ${key} holds ${id}, which nobody appended`, [
        around(ids, at),
      ]);
    }
    const before = places.get(id);
    if (before !== undefined) {
      throw new CheckFailure('exactly once', `key ${key}: the append ${id} happened twice`, [
        operationWords(operation),
        around(ids, before),
        around(ids, at),
      ]);
    }
    places.set(id, at);
  });
  return places;
}

/** Walking from the left, an append answered before one to its left began stands too late. */
function checkOrder(key: string, ids: readonly string[], sent: ReadonlyMap<string, Operation>): void {
  let youngest: Operation | undefined;
  ids.forEach((id, at) => {
    const operation = sent.get(id) as Operation;
    if (
      youngest !== undefined &&
      !isUnknown(operation) &&
      (operation.respondedAt as number) < youngest.invokedAt
    ) {
      throw new CheckFailure(
        'exactly once',
        `key ${key}: the append ${id} stands after one that began later`,
        [operationWords(operation), operationWords(youngest), around(ids, at)],
      );
    }
    if (youngest === undefined || operation.invokedAt > youngest.invokedAt) youngest = operation;
  });
}

function around(ids: readonly string[], at: number): string {
  const from = Math.max(0, at - 4);
  const shown = ids.slice(from, at + 3).join(' ');
  return `place ${at} of ${ids.length}: ${from > 0 ? '… ' : ''}${shown}`;
}

/**
 * Each acknowledged increment counts once, each of unknown outcome at most once. Final value of a key that is
 * only incremented (undefined: absent).
 */
export function checkCounter(key: string, operations: readonly Operation[], final: string | undefined): void {
  let low = 0;
  let high = 0;
  let acknowledged = 0;
  let unknown = 0;
  for (const operation of operations) {
    const { call, outcome } = operation;
    if (call.kind !== 'increment') continue;
    if (outcome.kind === 'ok') {
      low += call.delta;
      high += call.delta;
      acknowledged++;
    } else if (isUnknown(operation)) {
      if (call.delta > 0) high += call.delta;
      else low += call.delta;
      unknown++;
    }
  }
  const value = Number(final ?? '0');
  const story = [`${acknowledged} increments acknowledged, ${unknown} of unknown outcome`];
  if (!Number.isSafeInteger(value) || value < low || value > high) {
    const range = low === high ? `${low}` : `${low} to ${high}`;
    throw new CheckFailure(
      'exactly once',
      `counter ${key} is ${final ?? 'absent'} and must be ${range}`,
      story,
    );
  }
}
