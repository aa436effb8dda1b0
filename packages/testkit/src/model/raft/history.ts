import { type ConfState, type Entry, must } from '@flotilla/base';
import { Interner } from '../interner.ts';
import { IDENTITY, In, Out, type Renaming } from './codec.ts';

/** A term that was led, and the log of who led it at its longest. */
export interface Led {
  readonly term: number;
  readonly log: readonly Entry[];
}

/** What there ever was, as far as checks need it. */
export interface History {
  /** By term. */
  readonly led: readonly Led[];
  readonly committed: readonly Entry[];
  /** In which term each of them was. */
  readonly terms: readonly number[];
  /** The newest configuration that anybody applied, and the index of its entry; 0 for that of the beginning. */
  readonly confIndex: number;
  readonly conf: ConfState;
}

/** Before anything happens in a group of this configuration. */
export function beginning(conf: ConfState): History {
  return { led: [], committed: [], terms: [], confIndex: 0, conf };
}

/** Histories as numbers. */
export class Histories {
  readonly #interner = new Interner();
  readonly #items: History[] = [];

  number(history: History, renaming: Renaming = IDENTITY): number {
    const out = new Out(renaming);
    out.list(history.led, ({ term, log }) => {
      out.byte(term);
      out.entries(log);
    });
    out.entries(history.committed);
    out.list(history.terms, (term) => out.byte(term));
    out.byte(history.confIndex);
    out.conf(history.conf);
    return this.#interner.number(out.finish());
  }

  get(number: number): History {
    const known = this.#items[number];
    if (known !== undefined) return known;
    const from = new In(this.#interner.bytes(number));
    const history = {
      led: from.list(() => ({ term: from.byte(), log: from.entries() })),
      committed: from.entries(),
      terms: from.list(() => from.byte()),
      confIndex: from.byte(),
      conf: from.conf(),
    };
    this.#items[number] = history;
    return must(history, 'a history was made');
  }
}
