import { compareBytes, type Writer } from '@flotilla/base';
import type { StateStore } from '@flotilla/ports';
import {
  beginPage,
  endPage,
  limits,
  type Read,
  ReadKind,
  Status,
  writePageRecord,
  writeRecord,
  writeRefused,
  writeStatus,
} from '@flotilla/wire';
import { headEnd, keyUnder } from './keys.ts';
import {
  isExpired,
  type RecordTable,
  recordCreateVersion,
  recordExpiresAt,
  recordValue,
  recordVersion,
} from './record-table.ts';
import type { Shard } from './shard.ts';

/** What a record of a page takes besides key and value. */
const PAGE_RECORD_BYTES = 22;

/** Answers a read on a shard that is served here, as of shard time `now`. */
export function answerRead(
  store: StateStore,
  records: RecordTable,
  shard: Shard,
  read: Read,
  now: number,
  out: Writer,
): void {
  if (read.kind === ReadKind.get) answerGet(records, shard, read, now, out);
  else if (read.kind === ReadKind.scan) answerScan(store, shard, read, now, out);
  else writeRefused(out, `a read of kind ${read.kind}`);
}

function answerGet(records: RecordTable, shard: Shard, read: Read, now: number, out: Writer): void {
  if (read.key.length === 0 || read.key.length > limits.keyBytes) {
    writeRefused(out, `a key of ${read.key.length} bytes (1 to ${limits.keyBytes} are allowed)`);
    return;
  }
  records.find(shard, read.key, now);
  if (records.version === 0) writeStatus(out, Status.absent);
  else writeRecord(out, records.version, records.createVersion, records.value());
}

/** A page ends where the next visible record would break a limit; its first one always fits. */
function answerScan(store: StateStore, shard: Shard, read: Read, now: number, out: Writer): void {
  const head = shard.recordHead;
  const from = keyUnder(head, read.key);
  const to = read.hasEnd ? keyUnder(head, read.to) : headEnd(head);
  // 0 means that the caller has no limit of its own.
  const countMax = read.limit === 0 ? limits.scanPageRecords : Math.min(read.limit, limits.scanPageRecords);
  const bytesMax = read.bytesMax === 0 ? limits.scanPageBytes : Math.min(read.bytesMax, limits.scanPageBytes);
  const countAt = beginPage(out);
  let count = 0;
  let bytes = 0;
  let more = false;
  if (compareBytes(from, to) < 0) {
    store.scan(
      from,
      to,
      (key, record) => {
        if (isExpired(recordExpiresAt(record), now)) return true;
        const value = recordValue(record);
        const size = PAGE_RECORD_BYTES + key.length - head.length + value.length;
        if (count === countMax || (count > 0 && bytes + size > bytesMax)) {
          more = true;
          return false;
        }
        writePageRecord(
          out,
          key.subarray(head.length),
          recordVersion(record),
          recordCreateVersion(record),
          value,
        );
        count++;
        bytes += size;
        return true;
      },
      { reverse: read.reverse },
    );
  }
  endPage(out, countAt, count, more);
}
