import { compareBytes, EMPTY_BYTES, equalBytes } from '@flotilla/base';
import type { StateStore } from '@flotilla/ports';
import { type Command, Flag, limits, Op, Status } from '@flotilla/wire';
import { addDecimals } from './decimal.ts';
import { setU16, setU32 } from './fields.ts';
import { headEnd, keyUnder } from './keys.ts';
import { blankOutcome, type Outcome } from './outcome.ts';
import { isExpired, type RecordTable, recordExpiresAt } from './record-table.ts';
import type { Shard } from './shard.ts';

const CONDITIONS = Flag.ifAbsent | Flag.ifPresent | Flag.ifVersion | Flag.ifValue;
const ZERO_TEXT = new Uint8Array([0x30]);

/**
 * Executes one command that ownership, limits and session checks let through. Each takes the next revision of
 * the shard, also where only the session row changes: a failed condition must reach a move's target as surely
 * as a change does, or its retry there would be executed.
 */
export class Executor {
  /** What the last command came to. */
  readonly outcome: Outcome = blankOutcome();
  readonly #store: StateStore;
  readonly #records: RecordTable;

  constructor(store: StateStore, records: RecordTable) {
    this.#store = store;
    this.#records = records;
  }

  run(shard: Shard, command: Command, now: number): void {
    shard.revision++;
    shard.dirty = true;
    if (command.op === Op.deleteRange) {
      this.#deleteRange(shard, command, now);
      return;
    }
    const records = this.#records;
    records.find(shard, command.key, now);
    if ((command.flags & CONDITIONS) !== 0 && !this.#holds(command)) {
      this.#end(Status.conflict, records.version);
      return;
    }
    switch (command.op) {
      case Op.put:
        this.#write(shard, command, now, 0, EMPTY_BYTES, command.value);
        return;
      case Op.delete:
        this.#delete(shard);
        return;
      case Op.append:
        this.#append(shard, command, now);
        return;
      case Op.increment:
        this.#increment(shard, command, now);
        return;
    }
  }

  #end(status: Outcome['status'], version: number, extra: Uint8Array = EMPTY_BYTES): void {
    this.outcome.status = status;
    this.outcome.version = version;
    this.outcome.extra = extra;
  }

  /** All conditions of the command, on the record as it is now: what has expired is absent. */
  #holds(command: Command): boolean {
    const { version } = this.#records;
    const { flags } = command;
    if ((flags & Flag.ifAbsent) !== 0 && version !== 0) return false;
    if ((flags & Flag.ifPresent) !== 0 && version === 0) return false;
    if ((flags & Flag.ifVersion) !== 0 && version !== command.version) return false;
    if ((flags & Flag.ifValue) === 0) return true;
    return version !== 0 && equalBytes(this.#records.value(), command.expected);
  }

  /** `kept` is the expiry that stays if the command brings none. */
  #write(
    shard: Shard,
    command: Command,
    now: number,
    kept: number,
    head: Uint8Array,
    tail: Uint8Array,
    extra: Uint8Array = EMPTY_BYTES,
  ): void {
    const records = this.#records;
    const createVersion = records.version === 0 ? shard.revision : records.createVersion;
    // A time to live beyond all numbers is one that never ends in practice, and must not fail here.
    const expiresAt =
      (command.flags & Flag.ttl) === 0 ? kept : Math.min(now + command.ttl, Number.MAX_SAFE_INTEGER);
    records.write(shard.revision, createVersion, expiresAt, head, tail);
    this.#end(Status.ok, shard.revision, extra);
  }

  /** The version says whether there was anything: 0 if not. What has expired goes too, as if it were gone. */
  #delete(shard: Shard): void {
    const existed = this.#records.version !== 0;
    this.#records.remove();
    this.#end(Status.ok, existed ? shard.revision : 0);
  }

  #append(shard: Shard, command: Command, now: number): void {
    const records = this.#records;
    const old = records.value();
    if (old.length + command.value.length > limits.valueBytes) {
      this.#end(Status.tooLarge, 0);
      return;
    }
    this.#write(shard, command, now, records.expiresAt, old, command.value);
  }

  #increment(shard: Shard, command: Command, now: number): void {
    const records = this.#records;
    const sum = addDecimals(records.version === 0 ? ZERO_TEXT : records.value(), command.value);
    if (typeof sum === 'number') {
      this.#end(sum, 0);
      return;
    }
    this.#write(shard, command, now, records.expiresAt, EMPTY_BYTES, sum, sum);
  }

  /**
   * Removes what lies in [key, value) up to the command's count. What has expired but is still stored counts
   * towards that limit, so that one command never walks an unbounded range, and not in the result.
   */
  #deleteRange(shard: Shard, command: Command, now: number): void {
    const wanted = (command.flags & Flag.ttl) === 0 ? limits.rangeDeleteKeys : command.ttl;
    const countMax = Math.min(wanted, limits.rangeDeleteKeys);
    const head = shard.recordHead;
    const from = keyUnder(head, command.key);
    const to = command.value.length === 0 ? headEnd(head) : keyUnder(head, command.value);
    const names: Uint8Array[] = [];
    let live = 0;
    let next = EMPTY_BYTES;
    if (compareBytes(from, to) < 0) {
      this.#store.scan(from, to, (key, record) => {
        const name = key.slice(head.length);
        if (names.length === countMax) {
          next = name;
          return false;
        }
        names.push(name);
        if (!isExpired(recordExpiresAt(record), now)) live++;
        return true;
      });
    }
    for (const name of names) {
      this.#records.find(shard, name, now);
      this.#records.remove();
    }
    const extra = new Uint8Array(6 + next.length);
    setU32(extra, 0, live);
    setU16(extra, 4, next.length);
    extra.set(next, 6);
    this.#end(Status.rangeDeleted, shard.revision, extra);
  }
}
