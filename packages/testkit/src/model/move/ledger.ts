import { assert, must, utf8Decode } from '@flotilla/base';
import { type Result, Status } from '@flotilla/wire';
import { PairTable } from '../pair-table.ts';
import type { SentWrite } from './writes.ts';

/**
 * What really happened to the shard, whoever held it: the writes that were executed, in order, and how far each
 * client is. The ledger knows by itself what a map of lists must hold after them; it shares no code with the
 * groups.
 */
export interface Account {
  /** Executed writes in order, each with the shard's time; see `Ledger.event`. */
  readonly events: readonly number[];
  /** By client: place of the write that it waits for. */
  readonly places: readonly number[];
  /** By write: what its first execution came to; undefined while it was not executed. */
  readonly results: readonly (string | undefined)[];
  /** Number that stands for the events alone. */
  readonly history: number;
}

/** In the place of a write: what had expired was removed. */
const REMOVAL = 15;
const TIMES = 16;
/** Beyond all events: a client goes on. */
const GO_ON = 1 << 16;

interface Cell {
  readonly value: string;
  readonly version: number;
  readonly createVersion: number;
  /** 0: never. */
  readonly expiresAt: number;
}

export class Ledger {
  readonly #writes: readonly SentWrite[];
  readonly #clients: number;
  readonly #accounts: Account[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #next = new PairTable();
  readonly #histories = new Map<string, number>();
  /** By history. */
  readonly #cells: ReadonlyMap<string, Cell>[] = [];

  constructor(writes: readonly SentWrite[]) {
    assert(writes.length < REMOVAL, 'writes and removals share their numbers');
    this.#writes = writes;
    this.#clients = 1 + Math.max(-1, ...writes.map(({ client }) => client));
  }

  blank(): number {
    return this.#number([], new Array<number>(this.#clients).fill(0));
  }

  account(number: number): Account {
    return this.#accounts[number] as Account;
  }

  #number(events: readonly number[], places: readonly number[]): number {
    const key = `${events.join()} ${places.join()}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const results = new Array<string | undefined>(this.#writes.length).fill(undefined);
    let cells: ReadonlyMap<string, Cell> = new Map();
    events.forEach((event, at) => {
      const [after, result] = this.#happen(cells, event, at + 1);
      cells = after;
      if (event % TIMES !== REMOVAL) results[event % TIMES] = result;
    });
    const number = this.#accounts.length;
    this.#numbers.set(key, number);
    const history = this.#histories.get(events.join()) ?? this.#histories.size;
    this.#histories.set(events.join(), history);
    this.#cells[history] = cells;
    this.#accounts.push({ events, places, results, history });
    return number;
  }

  #happen(
    before: ReadonlyMap<string, Cell>,
    event: number,
    revision: number,
  ): readonly [ReadonlyMap<string, Cell>, string] {
    const now = Math.floor(event / TIMES);
    const cells = new Map([...before].filter(([, cell]) => isAlive(cell, now)));
    if (event % TIMES === REMOVAL) return [cells, ''];
    const { write } = must(this.#writes[event % TIMES], 'a write of the model');
    if (write.op === 'deleteAll') {
      const count = cells.size;
      cells.clear();
      return [cells, `deleted ${count} @${revision}`];
    }
    const there = cells.get(write.key);
    if (write.op === 'delete') {
      cells.delete(write.key);
      return [cells, `ok @${there === undefined ? 0 : revision}`];
    }
    const isBound = write.op === 'appendIfAbsent' || write.op === 'putIfAbsent';
    if (isBound && there !== undefined) return [cells, `conflict @${there.version}`];
    const isPut = write.op === 'put' || write.op === 'putIfAbsent';
    cells.set(write.key, {
      value: isPut ? write.value : (there?.value ?? '') + write.value,
      version: revision,
      createVersion: there?.createVersion ?? revision,
      expiresAt: isPut ? now + write.ttl : (there?.expiresAt ?? 0),
    });
    return [cells, `ok @${revision}`];
  }

  /** A write was executed at a time of the shard. */
  execute(account: number, write: number, now: number): number {
    const event = now * TIMES + write;
    return this.#after(account, event, () => {
      const { events, places } = this.account(account);
      return this.#number([...events, event], places);
    });
  }

  #after(account: number, event: number, make: () => number): number {
    const known = this.#next.get(account, event);
    if (known !== undefined) return known;
    const after = make();
    this.#next.set(account, event, after);
    return after;
  }

  /** What had expired at a time of the shard was removed. */
  remove(account: number, now: number): number {
    return this.execute(account, REMOVAL, now);
  }

  /** The client goes on to its next write. */
  goOn(account: number, client: number): number {
    return this.#after(account, GO_ON + client, () => {
      const { events, places } = this.account(account);
      return this.#number(
        events,
        places.map((place, at) => (at === client ? place + 1 : place)),
      );
    });
  }

  /** What reads of the keys must show at a time of the shard. */
  reads(account: number, keys: readonly string[], now: number): string {
    const cells = must(this.#cells[this.account(account).history], 'cells of an account');
    return keys
      .map((key) => {
        const cell = cells.get(key);
        if (cell === undefined || !isAlive(cell, now)) return `no ${key}`;
        return `${key}=${cell.value} @${cell.version} since ${cell.createVersion}`;
      })
      .join(', ');
  }
}

function isAlive(cell: Cell, now: number): boolean {
  return cell.expiresAt === 0 || now < cell.expiresAt;
}

/** Answers of a group to reads of the keys, in the ledger's words. */
export function readsText(keys: readonly string[], results: readonly Result[]): string {
  return keys
    .map((key, at) => {
      const result = must(results[at], 'an answer for each key');
      if (result.status === Status.absent) return `no ${key}`;
      if (result.status !== Status.record) return `${key} refused`;
      return `${key}=${utf8Decode(result.value)} @${result.version} since ${result.createVersion}`;
    })
    .join(', ');
}

/** The answer of a group to a write, in the ledger's words. */
export function resultText(result: Result): string {
  switch (result.status) {
    case Status.ok:
      return `ok @${result.version}`;
    case Status.conflict:
      return `conflict @${result.version}`;
    case Status.rangeDeleted:
      return `deleted ${result.count} @${result.version}`;
    default:
      return refusalText(result.status);
  }
}

function refusalText(status: Status): string {
  const found = Object.entries(Status).find(([, each]) => each === status);
  return found?.[0] ?? `status ${status}`;
}
