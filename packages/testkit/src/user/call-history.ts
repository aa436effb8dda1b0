import { Buffer } from 'node:buffer';
import { UsageError } from '@flotilla/base';
import {
  ClientCore,
  type ClientOptions,
  type ClientPorts,
  type ReadOperation,
  WriteOperation,
} from '@flotilla/client/core';
import { Flag, Op, ReadKind, ReadLevel, Status } from '@flotilla/wire';
import type { Call, Condition, Outcome } from '../checkers/history.ts';
import { checkLinearizability } from '../checkers/linearizability.ts';
import { Recorder } from '../workload/recorder.ts';
import type { EventLog } from '../world/event-log.ts';

/**
 * What the programs of a user called, for the story and for the check at the end. Nothing is asked of the programs,
 * so keys with which they do something that a single register cannot do are left out: those that expire, that are
 * deleted by range, or whose writes combine conditions.
 */

/** A history is held in memory, and searched as a whole. */
const CALLS_MAX = 200_000;

const conditionFlags = Flag.ifAbsent | Flag.ifPresent | Flag.ifVersion | Flag.ifValue;

/** One letter for each byte: equal and joined exactly where the bytes are, and readable where they are ASCII. */
function lettersOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

export class CallHistory {
  readonly #recorder: Recorder;
  readonly #leftOut = new Set<string>();
  /** Ranges that were deleted as `from\nto`, which many commands name. */
  readonly #deleted = new Map<string, { readonly from: string; readonly to: string }>();
  #calls = 0;

  constructor(events: EventLog, nowMs: () => number) {
    this.#recorder = new Recorder(events, nowMs);
  }

  /** Sees the operation off, and its end before anybody else. */
  watch(client: string, operation: WriteOperation | ReadOperation): void {
    const call = operation instanceof WriteOperation ? this.#writeCall(operation) : readCall(operation);
    if (call === undefined || ++this.#calls > CALLS_MAX) return;
    const open = this.#recorder.invoke(client, lettersOf(operation.key), call);
    const settled = operation.settled.bind(operation);
    operation.settled = () => {
      this.#recorder.respond(open, outcomeOf(operation));
      settled();
    };
  }

  /** Throws `CheckFailure` unless there is one order of all calls that explains every answer. */
  check(): void {
    if (this.#calls > CALLS_MAX) {
      throw new UsageError(
        `${this.#calls} calls are too many for a history, which may have ${CALLS_MAX}: ` +
          'make the run shorter, or keep none with record: false',
      );
    }
    const ranges = [...this.#deleted.values()];
    const isDeleted = (key: string): boolean =>
      ranges.some(({ from, to }) => key >= from && (to === '' || key < to));
    const operations = this.#recorder
      .history()
      .filter(({ key }) => !this.#leftOut.has(key) && !isDeleted(key))
      .sort((left, right) => left.invokedAt - right.invokedAt);
    checkLinearizability(operations, [], { uniqueValues: false });
  }

  #writeCall(write: WriteOperation): Call | undefined {
    const key = lettersOf(write.key);
    if (write.op === Op.deleteRange) {
      const to = lettersOf(write.value);
      this.#deleted.set(`${key}\n${to}`, { from: key, to });
      return undefined;
    }
    const call = callOf(write);
    if (call === undefined) this.#leftOut.add(key);
    return call;
  }
}

/** Undefined for what a register of the checker cannot do. */
function callOf(write: WriteOperation): Call | undefined {
  const given = write.flags & conditionFlags;
  if ((write.flags & Flag.ttl) !== 0 || (given & (given - 1)) !== 0) return undefined;
  const condition = conditionOf(write, given);
  const more = condition === undefined ? {} : { condition };
  switch (write.op) {
    case Op.put:
      return { kind: 'put', value: lettersOf(write.value), ...more };
    case Op.append:
      return { kind: 'append', value: lettersOf(write.value), ...more };
    case Op.delete:
      return { kind: 'delete', ...more };
    case Op.increment: {
      const delta = Number(lettersOf(write.value));
      return Number.isSafeInteger(delta) ? { kind: 'increment', delta, ...more } : undefined;
    }
    default:
      return undefined;
  }
}

function conditionOf(write: WriteOperation, flag: number): Condition | undefined {
  switch (flag) {
    case Flag.ifAbsent:
      return { kind: 'absent' };
    case Flag.ifPresent:
      return { kind: 'present' };
    case Flag.ifVersion:
      return { kind: 'version', version: write.version };
    case Flag.ifValue:
      return { kind: 'value', value: lettersOf(write.expected) };
    default:
      return undefined;
  }
}

/** Pages and reads that may be old say nothing about the order of calls. */
function readCall(read: ReadOperation): Call | undefined {
  return read.kind === ReadKind.get && read.level !== ReadLevel.stale ? { kind: 'get' } : undefined;
}

function outcomeOf(operation: WriteOperation | ReadOperation): Outcome {
  const { result, failure } = operation;
  if (failure !== undefined) return { kind: failure.outcome };
  switch (result?.status) {
    case Status.ok: {
      const isNumber = operation instanceof WriteOperation && operation.op === Op.increment;
      return { kind: 'ok', version: result.version, ...(isNumber ? { value: lettersOf(result.value) } : {}) };
    }
    case Status.conflict:
      return { kind: 'conflict', version: result.version };
    case Status.absent:
      return { kind: 'absent' };
    case Status.record:
      return { kind: 'found', value: lettersOf(result.value), version: result.version };
    default:
      // Refused for what it is, like an increment of a word: nothing was changed.
      return { kind: 'not-applied' };
  }
}

/** The core of a client as people have it; each operation is shown to somebody first. */
export class WatchedCore extends ClientCore {
  readonly #onSubmit: (operation: WriteOperation | ReadOperation) => void;

  constructor(
    ports: ClientPorts,
    options: ClientOptions,
    onSubmit: (operation: WriteOperation | ReadOperation) => void,
  ) {
    super(ports, options);
    this.#onSubmit = onSubmit;
  }

  override submit(operation: WriteOperation | ReadOperation): void {
    this.#onSubmit(operation);
    super.submit(operation);
  }
}
