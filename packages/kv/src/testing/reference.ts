import { hexEncode, utf8Decode } from '@flotilla/base';
import {
  type Command,
  Flag,
  limits,
  Op,
  type Result,
  Status,
  sessionLimits,
  sessionOpenedAt,
} from '@flotilla/wire';

/**
 * What a data group should do, written down as plainly as possible and without any of its means: maps, texts
 * and bigints. For tests that compare. Keys and values are texts of ASCII characters.
 */

interface PlainRecord {
  value: string;
  version: number;
  createVersion: number;
  /** Infinity when it does not expire. */
  expiresAt: number;
}

interface PlainRow {
  floor: number;
  results: Map<number, Result>;
  openedAt: number;
}

export class ReferenceShard {
  revision = 0;
  readonly records: Map<string, PlainRecord> = new Map();
  readonly rows: Map<string, PlainRow> = new Map();
  /** How often each (session, seq) was executed. */
  readonly executions: Map<string, number> = new Map();

  live(key: string, now: number): PlainRecord | undefined {
    const record = this.records.get(key);
    return record !== undefined && now < record.expiresAt ? record : undefined;
  }

  /** Visible records in key order. */
  visible(now: number): [string, PlainRecord][] {
    return [...this.records]
      .filter(([, record]) => now < record.expiresAt)
      .sort(([left], [right]) => (left < right ? -1 : 1));
  }

  run(command: Command, session: Uint8Array, floor: number, now: number): Result {
    const seq = floor + command.seqOffset;
    const openedAt = sessionOpenedAt(session);
    const name = hexEncode(session);
    if (command.seqOffset >= sessionLimits.window) return { status: Status.badSession };
    if (openedAt > now + sessionLimits.skewMax) return { status: Status.badSession };
    if (now >= openedAt + sessionLimits.life) return { status: Status.sessionExpired };
    const row = this.rows.get(name) ?? { floor: 0, results: new Map<number, Result>(), openedAt };
    const kept = row.results.get(seq);
    if (kept !== undefined) return kept;
    if (seq < row.floor) return { status: Status.belowFloor };
    this.executions.set(`${name} ${seq}`, (this.executions.get(`${name} ${seq}`) ?? 0) + 1);
    const result = this.#execute(command, now);
    this.rows.set(name, row);
    row.results.set(seq, result);
    row.floor = Math.max(row.floor, floor);
    for (const old of [...row.results.keys()]) if (old < row.floor) row.results.delete(old);
    return result;
  }

  #execute(command: Command, now: number): Result {
    this.revision++;
    const key = utf8Decode(command.key);
    const value = utf8Decode(command.value);
    if (command.op === Op.deleteRange) return this.#deleteRange(key, value, command, now);
    const record = this.live(key, now);
    const actual = record?.version ?? 0;
    const has = (flag: number): boolean => (command.flags & flag) !== 0;
    const fails =
      (has(Flag.ifAbsent) && record !== undefined) ||
      (has(Flag.ifPresent) && record === undefined) ||
      (has(Flag.ifVersion) && actual !== command.version) ||
      (has(Flag.ifValue) && record?.value !== utf8Decode(command.expected));
    if (fails) return { status: Status.conflict, version: actual };
    if (command.op === Op.delete) {
      this.records.delete(key);
      return { status: Status.ok, version: record === undefined ? 0 : this.revision, value: ascii('') };
    }
    let next = value;
    if (command.op === Op.append) next = (record?.value ?? '') + value;
    if (next.length > limits.valueBytes) return { status: Status.tooLarge };
    if (command.op === Op.increment) {
      const sum = add(record?.value ?? '0', value);
      if (typeof sum !== 'string') return { status: sum };
      next = sum;
    }
    const kept = command.op === Op.put ? Number.POSITIVE_INFINITY : record?.expiresAt;
    this.records.set(key, {
      value: next,
      version: this.revision,
      createVersion: record?.createVersion ?? this.revision,
      expiresAt: has(Flag.ttl) ? now + command.ttl : (kept ?? Number.POSITIVE_INFINITY),
    });
    const answer = command.op === Op.increment ? next : '';
    return { status: Status.ok, version: this.revision, value: ascii(answer) };
  }

  #deleteRange(from: string, to: string, command: Command, now: number): Result {
    const max = (command.flags & Flag.ttl) !== 0 ? Math.min(command.ttl, 1000) : 1000;
    const inside = [...this.records.keys()].sort().filter((key) => key >= from && (to === '' || key < to));
    const gone = inside.slice(0, max);
    const count = gone.filter((key) => this.live(key, now) !== undefined).length;
    for (const key of gone) this.records.delete(key);
    return { status: Status.rangeDeleted, version: this.revision, count, next: ascii(inside[max] ?? '') };
  }

  /** Due items in the order of their removal. */
  removeDue(now: number, itemsMax: number): void {
    const due = [...this.records]
      .filter(([, record]) => now >= record.expiresAt)
      .sort(([key, left], [other, right]) => left.expiresAt - right.expiresAt || (key < other ? -1 : 1))
      .slice(0, itemsMax);
    for (const [key] of due) this.records.delete(key);
    const rows = [...this.rows]
      .filter(([, row]) => now >= row.openedAt + sessionLimits.life)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .slice(0, itemsMax - due.length);
    for (const [name] of rows) this.rows.delete(name);
    if (due.length + rows.length > 0) this.revision++;
  }
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function add(left: string, right: string): string | typeof Status.notANumber | typeof Status.overflow {
  const isInt64 = (text: string): boolean =>
    /^(0|-?[1-9][0-9]*)$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
  if (!isInt64(left) || !isInt64(right)) return Status.notANumber;
  const sum = BigInt(left) + BigInt(right);
  return BigInt.asIntN(64, sum) === sum ? String(sum) : Status.overflow;
}
