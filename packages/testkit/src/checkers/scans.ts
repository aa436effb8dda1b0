import { CheckFailure } from './failure.ts';
import { isUnknown, mayChange, type Operation, operationWords, type ScanObservation } from './history.ts';

/** What may have changed one key: whatever may have put something there, and whatever may have taken it away. */
interface Writes {
  readonly creators: Operation[];
  readonly removals: Operation[];
}

/**
 * A scan is not one moment, but it is bounded by two: what was there all the while must be listed, what was
 * absent all the while must not. Keys come in order, each at most once. (Values are for linearizability.)
 */
export function checkScans(operations: readonly Operation[], scans: readonly ScanObservation[]): void {
  const keys = new Map<string, Writes>();
  for (const operation of operations) {
    if (!mayChange(operation)) continue;
    let writes = keys.get(operation.key);
    if (writes === undefined) {
      writes = { creators: [], removals: [] };
      keys.set(operation.key, writes);
    }
    (operation.call.kind === 'delete' ? writes.removals : writes.creators).push(operation);
  }
  for (const scan of scans) checkScan(scan, keys);
}

function checkScan(scan: ScanObservation, writes: ReadonlyMap<string, Writes>): void {
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
  for (const [key, ofKey] of writes) {
    if (!key.startsWith(scan.prefix)) continue;
    if (scan.limited && (last === undefined || key > last)) continue;
    if (listed.has(key)) {
      if (surelyAbsent(ofKey, scan))
        fail(`${key} was absent all the while`, ofKey.removals.slice(-6).map(operationWords));
      continue;
    }
    const write = surelyPresent(ofKey, scan);
    if (write !== undefined) fail(`${key} is missing`, [`it was there since ${operationWords(write)}`]);
  }
}

function endOf(operation: Operation): number {
  return isUnknown(operation) ? Number.POSITIVE_INFINITY : (operation.respondedAt as number);
}

/** A write that ended before the scan began and that no deletion can have followed; undefined if there is none. */
function surelyPresent({ creators, removals }: Writes, scan: ScanObservation): Operation | undefined {
  let gone = Number.NEGATIVE_INFINITY;
  for (const removal of removals) {
    if (removal.invokedAt < scan.respondedAt) gone = Math.max(gone, endOf(removal));
  }
  return creators.find((write) => endOf(write) < scan.invokedAt && gone <= write.invokedAt);
}

function surelyAbsent({ creators, removals }: Writes, scan: ScanObservation): boolean {
  let written = Number.NEGATIVE_INFINITY;
  for (const write of creators) {
    if (write.invokedAt < scan.respondedAt) written = Math.max(written, endOf(write));
  }
  if (written === Number.NEGATIVE_INFINITY) return true;
  return removals.some(
    (removal) =>
      removal.call.kind === 'delete' &&
      removal.call.condition === undefined &&
      endOf(removal) < scan.invokedAt &&
      written < removal.invokedAt,
  );
}
