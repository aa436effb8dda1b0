import type { StoreId } from '@flotilla/base';
import { FrameKind, type Hello, readRefusal, writeHello, writeRefusal } from '@flotilla/wire';
import type { AddressBook } from './address-book.ts';
import { makeHello, type Self, type Verdict } from './greeting.ts';
import type { Link } from './link.ts';
import type { QuietLog } from './quiet-log.ts';
import type { Traffic } from './traffic.ts';

/** Refusals that belong to the ordinary course of things. */
const expected: ReadonlySet<string> = new Set(['duplicate', 'self-connection']);

/** The frames of a handshake, and what people are told when it fails. */
export class Greeter {
  readonly #self: () => Self;
  readonly #book: AddressBook;
  readonly #log: QuietLog;
  readonly #traffic: Traffic;

  constructor(self: () => Self, book: AddressBook, log: QuietLog, traffic: Traffic) {
    this.#self = self;
    this.#book = book;
    this.#log = log;
    this.#traffic = traffic;
  }

  sayHello(link: Link): void {
    this.#introduce(link, FrameKind.hello);
  }

  sayWelcome(link: Link): void {
    this.#introduce(link, FrameKind.welcome);
  }

  /** Turns away the one that said hello. It learns the code and no more: it may be anybody. */
  refuse(link: Link, hello: Hello, verdict: Verdict): void {
    this.#traffic.refusals++;
    this.#report(link, hello, verdict);
    link.sendNow(FrameKind.refusal, (out) => writeRefusal(out, { code: verdict.code, message: '' }));
    link.close(verdict.code);
  }

  /** Turns away from the one that was dialled, or that turned out to be someone else later. */
  leave(link: Link, theirs: Hello, verdict: Verdict): void {
    this.#report(link, theirs, verdict);
    link.quiet ||= expected.has(verdict.code);
    link.close(verdict.code);
  }

  /** The other side turned us away. */
  refused(link: Link, body: Uint8Array, storeId: StoreId | undefined): void {
    const { code, message } = readRefusal(body);
    link.quiet = expected.has(code);
    if (!link.quiet) {
      const fields = { address: link.remoteAddress, storeId, code, message };
      this.#log.seldom(`${link.remoteAddress} ${code}`, 'warn', 'peer-refused-us', fields);
    }
    link.close(`refused: ${code}`);
  }

  #introduce(link: Link, kind: number): void {
    link.bookRevision = this.#book.revision;
    const hello = makeHello(this.#self(), link.lane, this.#book.entries());
    link.sendNow(kind, (out) => writeHello(out, hello));
  }

  #report(link: Link, theirs: Hello, verdict: Verdict): void {
    const { code, message } = verdict;
    if (expected.has(code)) return;
    const { storeId, clusterId, incarnation } = theirs;
    const fields = { code, message, storeId, clusterId, incarnation, address: link.remoteAddress };
    const level = code === 'store-id-twice' ? 'error' : 'warn';
    this.#log.seldom(`${storeId} ${code}`, level, 'peer-refused', fields);
  }
}
