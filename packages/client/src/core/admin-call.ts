import { DecodeError, type Outcome, Writer } from '@flotilla/base';
import {
  type AdminMethod,
  type AdminParams,
  type AdminResults,
  beginFrame,
  FrameKind,
  parseAdminReply,
  parseAdminResult,
  writeAdmin,
} from '@flotilla/wire';
import { fullJitterMs } from './back-off.ts';
import { type ClientFailure, failure } from './failure.ts';
import type { Link, Pending } from './link.ts';
import type { Links } from './links.ts';
import { type ClientPorts, tuning } from './options.ts';

/**
 * One admin request, over any store, until it is answered or its time is up. Changes carry a request id that
 * stays the same over all attempts, so repeating one whose answer was lost is safe.
 */
export class AdminCall<M extends AdminMethod = AdminMethod> implements Pending {
  readonly operations = 0;
  readonly method: M;
  result: AdminResults[M] | undefined;
  failure: ClientFailure | undefined;
  readonly #ports: ClientPorts;
  readonly #links: Links;
  readonly #cold: Uint8Array;
  readonly #deadlineMs: number;
  readonly #done: (call: AdminCall<M>) => void;
  #isDone = false;
  #isSent = false;
  #mayBeDone = false;
  #attempts = 0;
  #trouble = 'no store takes connections';
  #timer: number | undefined;

  constructor(
    ports: ClientPorts,
    links: Links,
    method: M,
    params: AdminParams[M],
    deadlineMs: number,
    done: (call: AdminCall<M>) => void,
  ) {
    this.#ports = ports;
    this.#links = links;
    this.method = method;
    this.#deadlineMs = deadlineMs;
    this.#done = done;
    this.#cold = ports.coldCodec.encode({ method, params });
  }

  /** Sends it if some store is connected; called again whenever that may have changed. */
  attempt(): void {
    if (this.#isDone || this.#isSent) return;
    const now = this.#ports.clock.monoMs();
    if (now >= this.#deadlineMs) {
      this.#expire();
      return;
    }
    const link = this.#links.any(now);
    if (link === undefined) {
      this.#trouble = `no store takes connections (${this.#links.describe()})`;
      this.#again(tuning.skip);
      return;
    }
    this.#send(link);
  }

  onReply(): void {
    this.onLost('the store answered an admin request as if it were a batch');
    throw new DecodeError('a batch reply to an admin request');
  }

  onAdminReply(cold: Uint8Array): void {
    if (this.#isDone) return;
    this.#isSent = false;
    try {
      const reply = parseAdminReply(this.#ports.coldCodec.decode(cold));
      if (reply.ok) {
        this.result = parseAdminResult(this.method, reply.result);
        this.#finish();
      } else if (reply.retry === 'never') {
        this.failure = { ...failure('refused', reply.message, this.#outcome(), { reason: reply.code }) };
        this.#finish();
      } else {
        this.#trouble = reply.message;
        this.#again(fullJitterMs(this.#ports.random, this.#attempts));
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const advice = 'store and client may be of different versions';
      const message = `the answer to ${this.method} cannot be read: ${error.message}; ${advice}`;
      this.failure = failure('protocol', message, 'unknown', {}, error);
      this.#finish();
    }
  }

  onLost(reason: string): void {
    if (this.#isDone) return;
    this.#isSent = false;
    this.#mayBeDone = true;
    this.#trouble = `the connection was lost before the answer came (${reason})`;
    this.#again(this.#attempts <= 1 ? 0 : fullJitterMs(this.#ports.random, this.#attempts));
  }

  giveUp(code: 'aborted' | 'closed', message: string, cause?: unknown): void {
    if (this.#isDone) return;
    this.failure = failure(code, message, this.#outcome(), {}, cause);
    this.#finish();
  }

  #send(link: Link): void {
    const out = new Writer(64 + this.#cold.length);
    const request = link.nextRequest();
    beginFrame(out);
    writeAdmin(out, request, this.#cold);
    this.#isSent = true;
    this.#attempts++;
    link.request(out, FrameKind.admin, request, this);
    // Watches the deadline; an answer clears it.
    this.#setTimer(Math.max(1, this.#deadlineMs - this.#ports.clock.monoMs()), () => this.#expire());
  }

  #again(delayMs: number): void {
    const left = this.#deadlineMs - this.#ports.clock.monoMs();
    if (left <= 0) this.#expire();
    else this.#setTimer(Math.min(left, Math.max(1, delayMs)), () => this.attempt());
  }

  #setTimer(delayMs: number, callback: () => void): void {
    if (this.#timer !== undefined) this.#ports.timers.clear(this.#timer);
    this.#timer = this.#ports.timers.set(delayMs, callback);
  }

  #outcome(): Outcome {
    return this.#isSent || this.#mayBeDone ? 'unknown' : 'not-applied';
  }

  #expire(): void {
    if (this.#isDone) return;
    const outcome = this.#outcome();
    const message = `${this.method} was not answered in time: ${this.#isSent ? 'a store is working on it' : this.#trouble}`;
    this.failure = failure(outcome === 'unknown' ? 'deadline' : 'unavailable', message, outcome);
    this.#finish();
  }

  #finish(): void {
    this.#isDone = true;
    if (this.#timer !== undefined) this.#ports.timers.clear(this.#timer);
    this.#done(this);
  }
}
