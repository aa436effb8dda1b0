import type { Timers } from '@flotilla/ports';
import type { AddressEntry } from '@flotilla/wire';
import type { AddressBook } from './address-book.ts';

/** Tells the owner of an address book that it changed, once for all changes of a turn. */
export class BookNotice {
  readonly #book: AddressBook;
  readonly #timers: Timers;
  #tell: ((entries: readonly AddressEntry[]) => void) | undefined;
  #toldRevision = 0;
  #pending = false;

  constructor(
    book: AddressBook,
    timers: Timers,
    tell: ((entries: readonly AddressEntry[]) => void) | undefined,
  ) {
    this.#book = book;
    this.#timers = timers;
    this.#tell = tell;
  }

  changed(): void {
    if (this.#pending || this.#tell === undefined) return;
    this.#pending = true;
    this.#timers.soon(() => {
      this.#pending = false;
      if (this.#toldRevision === this.#book.revision) return;
      this.#toldRevision = this.#book.revision;
      this.#tell?.(this.#book.entries());
    });
  }

  stop(): void {
    this.#tell = undefined;
  }
}
