import { compareBytes, EMPTY_BYTES, hexEncode, utf8Decode, type Writer } from '@flotilla/base';
import {
  type Command,
  Op,
  type Read,
  ReadKind,
  Status,
  writeConflict,
  writeElsewhere,
  writeOk,
  writeRangeDeleted,
  writeRecord,
  writeWait,
} from '@flotilla/wire';

/**
 * One shard as its groups answer for it: records, session rows, and where it stands in a move. Records and rows
 * go with the shard, as in a real move.
 */

export interface FakeRecord {
  readonly key: Uint8Array;
  value: Uint8Array;
  version: number;
  createVersion: number;
}

export interface FakeMove {
  readonly moveId: number;
  readonly target: number;
  /** `copying`: the source serves; `frozen`: nobody does. */
  state: 'copying' | 'frozen';
}

/** What a target says while a shard arrives. */
const RETRY_MS = 10;

export class FakeShard {
  owner = 1;
  epoch = 1;
  move: FakeMove | undefined;
  /** Who holds a frozen copy still and says where the shard went; any other group says `wrongGroup`. */
  frozenIn = 0;
  /** Groups that do not serve the shard name the one that does. */
  givesHints = true;
  revision = 0;
  readonly records: Map<string, FakeRecord> = new Map();
  readonly rows: Map<string, { floor: number; results: Map<number, Uint8Array> }> = new Map();
  /** Every execution, as `session/seq`. */
  readonly executed: string[] = [];

  sorted(): FakeRecord[] {
    return [...this.records.values()].sort((left, right) => compareBytes(left.key, right.key));
  }

  beginMove(moveId: number, target: number): void {
    this.move = { moveId, target, state: 'copying' };
  }

  freeze(): void {
    if (this.move !== undefined) this.move.state = 'frozen';
  }

  /** The target serves from now on. */
  activate(): void {
    if (this.move === undefined) return;
    this.frozenIn = this.owner;
    this.owner = this.move.target;
    this.epoch++;
    this.move = undefined;
  }

  /** The whole move at once. */
  moveTo(target: number): void {
    this.beginMove(0, target);
    this.activate();
  }

  /** Executes one command as a state machine would and writes its result. */
  execute(out: Writer, gid: number, session: string, floor: number, seq: number, command: Command): void {
    if (!this.#admit(out, gid, command.epoch)) return;
    const row = this.rows.get(session) ?? { floor: 0, results: new Map<number, Uint8Array>() };
    const kept = row.results.get(seq);
    if (kept !== undefined) {
      out.raw(kept);
      return;
    }
    if (seq < row.floor) {
      out.u8(Status.belowFloor);
      return;
    }
    const at = out.length;
    this.#run(out, command);
    this.executed.push(`${session}/${seq}`);
    row.floor = Math.max(row.floor, floor);
    row.results.set(seq, out.bytes.slice(at, out.length));
    for (const old of [...row.results.keys()]) if (old < row.floor) row.results.delete(old);
    this.rows.set(session, row);
  }

  answer(out: Writer, gid: number, read: Read): void {
    if (!this.#admit(out, gid, read.epoch)) return;
    if (read.kind === ReadKind.get) {
      const record = this.records.get(hexEncode(read.key));
      if (record === undefined) out.u8(Status.absent);
      else writeRecord(out, record.version, record.createVersion, record.value);
      return;
    }
    let inside = this.sorted().filter((record) => {
      return (
        compareBytes(record.key, read.key) >= 0 && (!read.hasEnd || compareBytes(record.key, read.to) < 0)
      );
    });
    if (read.reverse) inside = inside.reverse();
    let bytes = 0;
    const page = inside.slice(0, read.limit).filter((record, at) => {
      bytes += record.key.length + record.value.length;
      return at === 0 || bytes <= read.bytesMax;
    });
    out.u8(Status.page);
    out.u32(page.length);
    for (const record of page) {
      out.bytes16(record.key);
      out.u53(record.version);
      out.u53(record.createVersion);
      out.bytes32(record.value);
    }
    out.bool(page.length < inside.length);
  }

  /** False after a refusal: the shard is not served by this group under this epoch now. */
  #admit(out: Writer, gid: number, epoch: number): boolean {
    const { move } = this;
    if (gid === move?.target) {
      writeWait(out, Status.notReady, RETRY_MS);
      return false;
    }
    if (gid === this.owner && move?.state === 'frozen') {
      writeElsewhere(out, Status.moved, move.target, this.epoch + 1);
      return false;
    }
    if (gid === this.owner && epoch === this.epoch) return true;
    if (gid === this.frozenIn && gid !== this.owner) {
      writeElsewhere(out, Status.moved, this.owner, this.epoch);
      return false;
    }
    const [owner, at] = this.givesHints || gid === this.owner ? [this.owner, this.epoch] : [0, 0];
    writeElsewhere(out, Status.wrongGroup, owner, at);
    return false;
  }

  #run(out: Writer, command: Command): void {
    const name = hexEncode(command.key);
    const found = this.records.get(name);
    if ((command.flags & 4) !== 0 && (found?.version ?? 0) !== command.version) {
      writeConflict(out, found?.version ?? 0);
      return;
    }
    const version = ++this.revision;
    if (command.op === Op.deleteRange) {
      const inside = this.sorted().filter((record) => {
        if (compareBytes(record.key, command.key) < 0) return false;
        return command.value.length === 0 || compareBytes(record.key, command.value) < 0;
      });
      const now = inside.slice(0, command.ttl);
      for (const record of now) this.records.delete(hexEncode(record.key));
      writeRangeDeleted(out, version, now.length, inside[command.ttl]?.key ?? EMPTY_BYTES);
      return;
    }
    if (command.op === Op.delete) {
      this.records.delete(name);
      writeOk(out, version);
      return;
    }
    let value = command.value.slice();
    if (command.op === Op.append && found !== undefined)
      value = new Uint8Array([...found.value, ...command.value]);
    if (command.op === Op.increment) {
      const sum =
        Number(utf8Decode(found?.value ?? new Uint8Array([48]))) + Number(utf8Decode(command.value));
      if (Number.isNaN(sum)) {
        out.u8(Status.notANumber);
        return;
      }
      value = new TextEncoder().encode(String(sum));
    }
    const createVersion = found?.createVersion ?? version;
    this.records.set(name, { key: command.key.slice(), value, version, createVersion });
    writeOk(out, version, command.op === Op.increment ? value : EMPTY_BYTES);
  }
}
