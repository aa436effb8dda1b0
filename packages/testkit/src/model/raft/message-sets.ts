import type { Message } from '@flotilla/base';
import { Interner } from '../interner.ts';
import { PairTable } from '../pair-table.ts';
import { bytesOf, IDENTITY, In, type Renaming } from './codec.ts';

/** Messages, and sets of them, as numbers. The empty set is 0. */
export class MessageSets {
  readonly #messages = new Interner();
  readonly #decoded: Message[] = [];
  readonly #sets = new Interner();
  readonly #members: Uint32Array[] = [];
  /** By set: a bit for each of its messages, which share 32. */
  readonly #signatures: number[] = [];
  readonly #unions = new PairTable();

  constructor() {
    this.of([]);
  }

  get messages(): number {
    return this.#messages.size;
  }

  get size(): number {
    return this.#sets.size;
  }

  number(bytes: Uint8Array): number {
    return this.#messages.number(bytes);
  }

  message(number: number): Message {
    const known = this.#decoded[number];
    if (known !== undefined) return known;
    const message = new In(this.#messages.bytes(number)).message();
    this.#decoded[number] = message;
    return message;
  }

  /** The append that says no more than who leads. */
  emptied(message: number): number {
    const empty = { ...this.message(message), index: 0, logTerm: 0, commit: 0, entries: [] };
    return this.number(bytesOf(empty, IDENTITY));
  }

  /** The set of these messages, which may repeat. */
  of(messages: readonly number[]): number {
    const sorted = Uint32Array.from(new Set(messages)).sort();
    const bytes = new Uint8Array(sorted.buffer);
    const number = this.#sets.number(bytes);
    if (number === this.#members.length) {
      this.#members.push(sorted);
      this.#signatures.push(sorted.reduce((bits, message) => bits | (1 << (message & 31)), 0));
    }
    return number;
  }

  members(set: number): Uint32Array {
    return this.#members[set] as Uint32Array;
  }

  union(left: number, right: number): number {
    if (right === 0) return left;
    const known = this.#unions.get(left, right);
    if (known !== undefined) return known;
    const union = this.of([...this.members(left), ...this.members(right)]);
    this.#unions.set(left, right, union);
    return union;
  }

  /** Every message of `part` is in `whole`. */
  includes(whole: number, part: number): boolean {
    if (whole === part || part === 0) return true;
    if (((this.#signatures[part] as number) & ~(this.#signatures[whole] as number)) !== 0) return false;
    const left = this.members(whole);
    const right = this.members(part);
    if (right.length >= left.length) return false;
    let at = 0;
    for (const message of right) {
      while (at < left.length && (left[at] as number) < message) at++;
      if (left[at] !== message) return false;
      at++;
    }
    return true;
  }

  renamed(message: number, renaming: Renaming): number {
    return this.number(bytesOf(this.message(message), renaming));
  }

  rename(set: number, renaming: Renaming): number {
    return this.of([...this.members(set)].map((message) => this.renamed(message, renaming)));
  }
}
