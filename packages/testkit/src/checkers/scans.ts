import { CheckFailure } from './failure.ts';
import { isUnknown, mayChange, type Operation, operationWords, type ScanObservation } from './history.ts';

/**
 * A scan is not one moment, but it is bounded by two: what was there all the while must be listed, what was
 * absent all the while must not. Keys come in order, each at most once. (Values are for linearizability.)
 */
export function checkScans(operations: readonly Operation[], scans: readonly ScanObservation[]): void {
  const keys = new Map<string, Operation[]>();
  for (const operation of operations) {
    if (!mayChange(operation)) continue;
    const list = keys.get(operation.key);
    if (list === undefined) keys.set(operation.key, [operation]);
    else list.push(operation);
  }
  for (const scan of scans) checkScan(scan, keys);
}

function checkScan(scan: ScanObservation, writes: ReadonlyMap<string, readonly Operation[]>): void {
  const fail = (message: string, story: readonly string[] = []): never => {
    throw new CheckFailure('scans', `scan of "${scan.prefix}" by ${scan.client}: ${message}`, [
      `it listed ${scan.records.map((record) => record.key).join(' ')}`,
      ...story,
    ]);
  };
  let last: string | undefined;
  for (const { key } of scan.records) {
    if (!key.startsWith(scan.prefix)) fail(`${key} is not in its range`);
    if (last !== undefined && key === last) fail(`${key} is listed twice`);
    if (last !== undefined && key < last) fail(`${key} comes after ${last}`);
    last = key;
    if (!writes.has(key)) fail(`${key} was never written`);
  }
  const listed = new Set(scan.records.map((record) => record.key));
  for (const [key, list] of writes) {
    if (!key.startsWith(scan.prefix)) continue;
    if (scan.limited && (last === undefined || key > last)) continue;
    if (listed.has(key)) {
      if (surelyAbsent(list, scan))
        fail(`${key} was absent all the while`, list.slice(-6).map(operationWords));
      continue;
    }
    const write = surelyPresent(list, scan);
    if (write !== undefined) fail(`${key} is missing`, [`it was there since ${operationWords(write)}`]);
  }
}

function endOf(operation: Operation): number {
  return isUnknown(operation) ? Number.POSITIVE_INFINITY : (operation.respondedAt as number);
}

/** A write that ended before the scan began and that no deletion can have followed; undefined if there is none. */
function surelyPresent(list: readonly Operation[], scan: ScanObservation): Operation | undefined {
  return list.find(
    (write) =>
      write.call.kind !== 'delete' &&
      endOf(write) < scan.invokedAt &&
      !list.some(
        (other) =>
          other.call.kind === 'delete' &&
          other.invokedAt < scan.respondedAt &&
          endOf(other) > write.invokedAt,
      ),
  );
}

function surelyAbsent(list: readonly Operation[], scan: ScanObservation): boolean {
  const creators = list.filter((each) => each.call.kind !== 'delete' && each.invokedAt < scan.respondedAt);
  if (creators.length === 0) return true;
  return list.some(
    (removal) =>
      removal.call.kind === 'delete' &&
      endOf(removal) < scan.invokedAt &&
      removal.call.condition === undefined &&
      creators.every((write) => endOf(write) < removal.invokedAt),
  );
}
