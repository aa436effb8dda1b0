import { CorruptionError, type Writer } from '@flotilla/base';
import type { GroupMachine, Proposal, ReadBatch, Refusal } from '@flotilla/host';
import type { StateStore } from '@flotilla/ports';

/** An entry that no replica can apply. */
export const POISON = 'poison';
const decoder = new TextDecoder();

/** The simplest machine that shows order, loss and repetition: it keeps every entry that it was given. */
export class Journal implements GroupMachine {
  readonly #store: StateStore;
  readonly #prefix: Uint8Array;
  lines: string[] = [];
  /** What the host said to be durable, in this order. */
  readonly durableTo: number[] = [];

  constructor(store: StateStore, prefix: Uint8Array) {
    this.#store = store;
    this.#prefix = prefix;
  }

  load(): void {
    this.lines = [];
    const end = this.#prefix.slice();
    end[end.length - 1] = (end[end.length - 1] as number) + 1;
    this.#store.scan(this.#prefix, end, (_key, value) => {
      this.lines.push(decoder.decode(value));
      return true;
    });
  }

  apply(index: number, data: Uint8Array, out: Writer | undefined): void {
    const key = new Uint8Array(this.#prefix.length + 4);
    key.set(this.#prefix);
    new DataView(key.buffer).setUint32(this.#prefix.length, index);
    const text = decoder.decode(data);
    if (text === POISON) throw new CorruptionError('this entry meets damaged state');
    this.#store.put(key, data);
    this.lines.push(text);
    out?.u53(index);
  }

  flush(): void {}

  durable(index: number): void {
    this.durableTo.push(index);
  }

  /** Key of the entry at an index, for tests that damage it. */
  keyOf(index: number): Uint8Array {
    const key = new Uint8Array(this.#prefix.length + 4);
    key.set(this.#prefix);
    new DataView(key.buffer).setUint32(this.#prefix.length, index);
    return key;
  }

  /** Reads through the store, so that damage shows. */
  get last(): string {
    let last = '';
    const end = this.#prefix.slice();
    end[end.length - 1] = (end[end.length - 1] as number) + 1;
    this.#store.scan(
      this.#prefix,
      end,
      (_key, value) => {
        last = decoder.decode(value);
        return false;
      },
      { reverse: true },
    );
    return last;
  }
}

export type Fate = 'open' | 'applied' | 'lost' | 'not-leader' | 'overloaded';

export class Line implements Proposal {
  readonly text: string;
  readonly data: Uint8Array;
  fate: Fate = 'open';
  index = 0;
  why = '';
  prepared = 0;

  constructor(text: string) {
    this.text = text;
    this.data = new TextEncoder().encode(text);
  }

  spares(): boolean {
    return false;
  }

  prepare(): void {
    this.prepared++;
  }

  out(): undefined {
    return undefined;
  }

  applied(index: number): void {
    this.#settle('applied');
    this.index = index;
  }

  refused(refusal: Refusal): void {
    this.#settle(refusal.kind);
    if (refusal.kind === 'overloaded') this.why = refusal.what;
  }

  lost(): void {
    this.#settle('lost');
  }

  #settle(fate: Fate): void {
    if (this.fate !== 'open') throw new Error(`"${this.text}" was ${this.fate} and is now ${fate}`);
    this.fate = fate;
  }
}

export class Look implements ReadBatch {
  value: string | undefined;
  refusal: Refusal | undefined;
  evaluations = 0;
  #seen = '';
  readonly #journal: () => Journal;
  readonly #onEvaluate: () => void;

  constructor(journal: () => Journal, onEvaluate: () => void = () => {}) {
    this.#journal = journal;
    this.#onEvaluate = onEvaluate;
  }

  evaluate(): void {
    this.evaluations++;
    this.#seen = this.#journal().last;
    this.#onEvaluate();
  }

  deliver(): void {
    if (this.isDone) throw new Error('answered twice');
    this.value = this.#seen;
  }

  refused(refusal: Refusal): void {
    if (this.isDone) throw new Error('answered twice');
    this.refusal = refusal;
  }

  expired(): boolean {
    return false;
  }

  get isDone(): boolean {
    return this.value !== undefined || this.refusal !== undefined;
  }
}
