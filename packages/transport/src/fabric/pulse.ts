import type { Clock, RareBranches, TimerId, Timers } from '@flotilla/ports';
import { FrameKind } from '@flotilla/wire';
import type { AddressBook } from './address-book.ts';
import type { Link } from './link.ts';
import { writePing } from './ping.ts';
import type { FabricTuning } from './tuning.ts';

/** Regular signs of life: pings every link, ends those that are silent. One timer for all links. */
export class Pulse {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #tuning: FabricTuning;
  readonly #rare: RareBranches;
  readonly #book: AddressBook;
  readonly #clusterId: () => string;
  #tick: TimerId | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly timers: Timers;
    readonly tuning: FabricTuning;
    readonly rare: RareBranches;
    readonly book: AddressBook;
    readonly clusterId: () => string;
  }) {
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#tuning = options.tuning;
    this.#rare = options.rare;
    this.#book = options.book;
    this.#clusterId = options.clusterId;
  }

  /** `links` names those to look after, anew at every beat; `after` is called at the end of each. */
  start(links: () => Iterable<Link>, after: () => void): void {
    const { pingMs } = this.#tuning;
    const dueMs = this.#clock.monoMs() + pingMs;
    this.#tick = this.#timers.set(pingMs, () => {
      this.start(links, after);
      const lateMs = this.#clock.monoMs() - dueMs;
      for (const link of links()) this.#look(link, lateMs);
      after();
    });
  }

  stop(): void {
    if (this.#tick !== undefined) this.#timers.clear(this.#tick);
    this.#tick = undefined;
  }

  ping(link: Link): void {
    const since = this.#rare.take('book-told-whole') ? 0 : link.bookRevision;
    const addressBook = this.#book.changedSince(since);
    link.bookRevision = this.#book.revision;
    const ping = { sentMonoMs: this.#clock.monoMs(), clusterId: this.#clusterId(), addressBook };
    link.sendNow(FrameKind.ping, (out) => writePing(out, ping));
  }

  /** Ends the link unless it gives a sign of life soon. */
  probe(link: Link): void {
    this.ping(link);
    link.expectWithin(this.#tuning.probeMs, 'silent while its store connects anew');
  }

  #look(link: Link, lateMs: number): void {
    const { pingMs, silentMs } = this.#tuning;
    // This process stood still itself; what the others said meanwhile still waits to be read.
    if (lateMs > pingMs) link.heardAtMs += lateMs;
    const isSilent = this.#clock.monoMs() - link.heardAtMs >= silentMs;
    if (isSilent || this.#rare.take('link-closed')) link.abort(`silent for ${silentMs} ms`);
    else if (this.#rare.take('link-probed')) this.probe(link);
    else this.ping(link);
  }
}
