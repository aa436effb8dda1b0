import { type Entry, must } from '@flotilla/base';
import { Interner } from '../interner.ts';
import { IDENTITY, In, Out, type Renaming } from './codec.ts';

/** What there ever was, as far as checks need it: terms that were led, and what was committed in which term. */
export interface History {
  /** A bit for each term. */
  readonly led: number;
  readonly committed: readonly Entry[];
  /** In which term each of them was. */
  readonly terms: readonly number[];
}

/** Histories as numbers. */
export class Histories {
  readonly #interner = new Interner();
  readonly #items: History[] = [];

  number(history: History, renaming: Renaming = IDENTITY): number {
    const out = new Out(renaming);
    out.byte(history.led);
    out.entries(history.committed);
    out.list(history.terms, (term) => out.byte(term));
    return this.#interner.number(out.finish());
  }

  get(number: number): History {
    const known = this.#items[number];
    if (known !== undefined) return known;
    const from = new In(this.#interner.bytes(number));
    const history = { led: from.byte(), committed: from.entries(), terms: from.list(() => from.byte()) };
    this.#items[number] = history;
    return must(history, 'a history was made');
  }
}
