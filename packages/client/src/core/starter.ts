import type { TimerId } from '@flotilla/ports';
import { type ClientFailure, failure } from './failure.ts';
import type { Link } from './link.ts';
import { type ClientPorts, tuning } from './options.ts';

/**
 * The first connection: endpoints are dialled in random order, the next one as soon as one fails or takes
 * longer than a moment. One welcome is enough; it ends in failure once every endpoint has failed, or when
 * the time is up, with the reason of each.
 */
export class Starter {
  readonly #ports: ClientPorts;
  readonly #rest: Link[];
  readonly #tried: { readonly link: Link; readonly address: string }[] = [];
  readonly #done: (failure: ClientFailure | undefined) => void;
  readonly #timeoutMs: number;
  #isDone = false;
  #next: TimerId | undefined;
  readonly #timeout: TimerId;

  constructor(
    ports: ClientPorts,
    links: readonly Link[],
    timeoutMs: number,
    done: (failure: ClientFailure | undefined) => void,
  ) {
    this.#ports = ports;
    this.#done = done;
    this.#timeoutMs = timeoutMs;
    this.#rest = [...links];
    for (let at = this.#rest.length - 1; at > 0; at--) {
      const other = ports.random.below(at + 1);
      const link = this.#rest[at] as Link;
      this.#rest[at] = this.#rest[other] as Link;
      this.#rest[other] = link;
    }
    this.#timeout = ports.timers.set(timeoutMs, () => this.#finish(this.#failure()));
  }

  begin(): void {
    this.#dialNext();
  }

  onUp(): void {
    this.#finish(undefined);
  }

  onDown(): void {
    if (this.#isDone) return;
    const isWaiting = this.#tried.some(({ link }) => link.isDialling);
    if (this.#rest.length > 0) this.#dialNext();
    else if (!isWaiting) this.#finish(this.#failure());
  }

  stop(): void {
    this.#isDone = true;
    this.#ports.timers.clear(this.#timeout);
    if (this.#next !== undefined) this.#ports.timers.clear(this.#next);
  }

  #dialNext(): void {
    if (this.#next !== undefined) this.#ports.timers.clear(this.#next);
    this.#next = undefined;
    const link = this.#rest.shift();
    if (link === undefined || this.#isDone) return;
    this.#tried.push({ link, address: link.addresses[0] as string });
    link.readiness(this.#ports.clock.monoMs());
    if (this.#rest.length > 0) this.#next = this.#ports.timers.set(tuning.skip, () => this.#dialNext());
  }

  #failure(): ClientFailure {
    const reasons = this.#tried.map(({ link, address }) => {
      return `${address}: ${link.lastEnd?.reason ?? `no answer within ${this.#timeoutMs} ms`}`;
    });
    const refusals = this.#tried.map(({ link }) => link.lastEnd?.refusal ?? '');
    const code = refusals.includes('wrong-cluster')
      ? 'cluster-mismatch'
      : refusals.includes('wrong-protocol')
        ? 'protocol'
        : 'unavailable';
    const advice = 'check that the cluster runs and that the endpoints are right';
    return failure(code, `no store could be used (${reasons.join('; ')}): ${advice}`, 'not-applied', {
      reasons,
    });
  }

  #finish(result: ClientFailure | undefined): void {
    if (this.#isDone) return;
    this.stop();
    this.#done(result);
  }
}
