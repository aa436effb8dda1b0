import {
  type Call,
  type Operation,
  type Outcome,
  operationWords,
  type ScanObservation,
} from '../checkers/history.ts';
import { EventKind, type EventLog } from '../world/event-log.ts';

/** An operation that was called and not answered yet. */
export interface OpenCall {
  readonly client: string;
  readonly key: string;
  readonly call: Call;
  readonly invokedAt: number;
  readonly invokedMs: number;
}

/** The history of all clients of one world: one order for all calls and answers. */
export class Recorder {
  readonly operations: Operation[] = [];
  readonly scans: ScanObservation[] = [];
  readonly #open = new Set<OpenCall>();
  readonly #events: EventLog;
  readonly #nowMs: () => number;
  #position = 0;
  unknown = 0;
  notApplied = 0;

  constructor(events: EventLog, nowMs: () => number) {
    this.#events = events;
    this.#nowMs = nowMs;
  }

  /** A place in the order of all events. */
  mark(): number {
    return ++this.#position;
  }

  get nowMs(): number {
    return this.#nowMs();
  }

  invoke(client: string, key: string, call: Call): OpenCall {
    const open = { client, key, call, invokedAt: this.mark(), invokedMs: this.#nowMs() };
    this.#open.add(open);
    this.#events.mix(EventKind.call, open.invokedAt, key.length);
    return open;
  }

  respond(open: OpenCall, outcome: Outcome): Operation {
    this.#open.delete(open);
    if (outcome.kind === 'unknown') this.unknown++;
    if (outcome.kind === 'not-applied') this.notApplied++;
    const operation: Operation = { ...open, respondedAt: this.mark(), respondedMs: this.#nowMs(), outcome };
    this.operations.push(operation);
    const version = 'version' in outcome ? (outcome.version ?? 0) : 0;
    this.#events.mix(EventKind.answer, outcome.kind.length, version);
    this.#events.tell(() => `client ${operationWords(operation)}`);
    return operation;
  }

  scanned(scan: ScanObservation): void {
    this.scans.push(scan);
    this.#events.mix(EventKind.answer, scan.records.length, scan.respondedAt);
    this.#events.tell(() => `client ${scan.client} scanned "${scan.prefix}": ${scan.records.length} records`);
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Everything so far, with what was never answered as of unknown outcome. */
  history(): Operation[] {
    const open = [...this.#open].map(
      (call): Operation => ({ ...call, respondedAt: undefined, outcome: { kind: 'unknown' } }),
    );
    return [...this.operations, ...open];
  }
}
