import {
  APPEND_THREAD,
  APPLY_THREAD,
  assert,
  type ConfState,
  EMPTY_BYTES,
  type Entry,
  EntryKind,
  type Message,
  type RaftId,
} from '@flotilla/base';
import { type ConfChange, decodeConfChange, encodeConfChange } from '@flotilla/raft';

/**
 * Values of the core as bytes, and back: one number, one byte, since everything in a small world is small. Equal
 * bytes mean equal values, and ids pass through a renaming on the way out.
 */

/** Numbers of the threads in bytes. */
const APPEND_BYTE = 255;
const APPLY_BYTE = 254;

/** Where each of the three nodes goes: the new id of `id` stands at `id - 1`. */
export type Renaming = readonly RaftId[];

export const IDENTITY: Renaming = [1, 2, 3];

export function renamed(renaming: Renaming, id: RaftId): RaftId {
  return id <= 0 ? id : (renaming[id - 1] as RaftId);
}

export class Out {
  readonly #renaming: Renaming;
  readonly #bytes: number[] = [];

  constructor(renaming: Renaming) {
    this.#renaming = renaming;
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  byte(value: number): void {
    assert(value >= 0 && value < 256, () => `${value} is too large for a small world`);
    this.#bytes.push(value);
  }

  flag(value: boolean): void {
    this.#bytes.push(value ? 1 : 0);
  }

  id(id: RaftId): void {
    if (id === APPEND_THREAD) this.#bytes.push(APPEND_BYTE);
    else if (id === APPLY_THREAD) this.#bytes.push(APPLY_BYTE);
    else this.byte(renamed(this.#renaming, id));
  }

  list<T>(items: readonly T[], put: (item: T) => void): void {
    this.byte(items.length);
    for (const item of items) put(item);
  }

  bytes(bytes: Uint8Array): void {
    this.byte(bytes.length);
    for (const byte of bytes) this.#bytes.push(byte);
  }

  conf(conf: ConfState): void {
    for (const ids of [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext]) {
      const sorted = ids.map((id) => renamed(this.#renaming, id)).sort((left, right) => left - right);
      this.list(sorted, (id) => this.#bytes.push(id));
    }
    this.flag(conf.autoLeave);
  }

  entry({ index, term, kind, data }: Entry): void {
    this.byte(index);
    this.byte(term);
    this.byte(kind);
    this.bytes(kind === EntryKind.normal ? data : renamedChange(data, this.#renaming));
  }

  entries(entries: readonly Entry[]): void {
    this.list(entries, (entry) => this.entry(entry));
  }

  message(message: Message): void {
    assert(
      message.snapshot === undefined && message.vote === 0 && message.responses.length === 0,
      'a message of the small world has no snapshot and no work in it',
    );
    this.byte(message.kind);
    this.id(message.from);
    this.id(message.to);
    this.byte(message.term);
    this.byte(message.logTerm);
    this.byte(message.index);
    this.byte(message.commit);
    this.flag(message.reject);
    this.byte(message.rejectHint);
    this.entries(message.entries);
    this.bytes(message.context);
  }

  messages(messages: readonly Message[]): void {
    this.list(messages, (message) => this.message(message));
  }
}

/** The change of membership in the data of an entry, for other ids. */
function renamedChange(data: Uint8Array, renaming: Renaming): Uint8Array {
  if (data.length === 0 || renaming === IDENTITY) return data;
  const { transition, changes, context }: ConfChange = decodeConfChange(data);
  const others = changes.map(({ kind, id }) => ({ kind, id: renamed(renaming, id) }));
  return encodeConfChange({ transition, changes: others, context });
}

export class In {
  readonly #from: Uint8Array;
  #at = 0;

  constructor(from: Uint8Array) {
    this.#from = from;
  }

  expectEnd(): void {
    assert(this.#at === this.#from.length, 'a value ends where its bytes end');
  }

  byte(): number {
    return this.#from[this.#at++] as number;
  }

  flag(): boolean {
    return this.byte() === 1;
  }

  id(): RaftId {
    const byte = this.byte();
    if (byte === APPEND_BYTE) return APPEND_THREAD;
    return byte === APPLY_BYTE ? APPLY_THREAD : byte;
  }

  list<T>(take: () => T): T[] {
    return Array.from({ length: this.byte() }, take);
  }

  bytes(): Uint8Array {
    const length = this.byte();
    if (length === 0) return EMPTY_BYTES;
    this.#at += length;
    return this.#from.slice(this.#at - length, this.#at);
  }

  conf(): ConfState {
    const [voters, votersOutgoing, learners, learnersNext] = [0, 1, 2, 3].map(() =>
      this.list(() => this.byte()),
    );
    return { voters, votersOutgoing, learners, learnersNext, autoLeave: this.flag() } as ConfState;
  }

  entry(): Entry {
    return { index: this.byte(), term: this.byte(), kind: this.byte() as EntryKind, data: this.bytes() };
  }

  entries(): Entry[] {
    return this.list(() => this.entry());
  }

  message(): Message {
    return {
      kind: this.byte() as Message['kind'],
      from: this.id(),
      to: this.id(),
      term: this.byte(),
      logTerm: this.byte(),
      index: this.byte(),
      commit: this.byte(),
      vote: 0,
      reject: this.flag(),
      rejectHint: this.byte(),
      entries: this.entries(),
      snapshot: undefined,
      context: this.bytes(),
      responses: [],
    };
  }

  messages(): Message[] {
    return this.list(() => this.message());
  }
}

export function bytesOf(message: Message, renaming: Renaming): Uint8Array {
  const out = new Out(renaming);
  out.message(message);
  return out.finish();
}
