import { must, prefixEnd, Reader, Writer } from '@flotilla/base';
import type { StateStore } from '@flotilla/ports';
import { type ControllerAnswer, readAnswer, writeAnswer } from './answer.ts';
import { controllerLimits, keyNumber, numberedKey, Row, rowKey } from './format.ts';

/**
 * The last answers by request id, so that a command that was sent twice is carried out once. Refusals for
 * good are kept as well: whoever was told "no" must not find it done later, because a delayed copy of the request met
 * a state in which it fits. The order of the entries alone decides what is forgotten.
 */

export interface Answered {
  /** Hash of the command, so that an id used for something else is noticed. */
  readonly fingerprintHigh: number;
  readonly fingerprintLow: number;
  readonly answer: ControllerAnswer;
}

export class AnswerTable {
  readonly #store: StateStore;
  readonly #prefix: Uint8Array;
  readonly #byRequest = new Map<string, Answered>();
  /** Request ids by sequence; the oldest kept one is `#next - size`. */
  readonly #requests = new Map<number, string>();
  #next = 0;

  constructor(store: StateStore, prefix: Uint8Array) {
    this.#store = store;
    this.#prefix = prefix;
  }

  load(): void {
    this.#byRequest.clear();
    this.#requests.clear();
    this.#next = 0;
    const from = rowKey(this.#prefix, Row.answer, new Uint8Array(0));
    this.#store.scan(from, prefixEnd(from), (key, value) => {
      const row = new Reader(value);
      const request = row.text(1024);
      const fingerprintHigh = row.u32();
      const fingerprintLow = row.u32();
      const answered = { fingerprintHigh, fingerprintLow, answer: readAnswer(row) };
      row.expectEnd();
      const sequence = keyNumber(key);
      this.#requests.set(sequence, request);
      this.#byRequest.set(request, answered);
      this.#next = sequence + 1;
      return true;
    });
  }

  get(requestId: string): Answered | undefined {
    return this.#byRequest.get(requestId);
  }

  add(requestId: string, answered: Answered): void {
    const out = new Writer(256);
    out.text(requestId);
    out.u32(answered.fingerprintHigh);
    out.u32(answered.fingerprintLow);
    writeAnswer(out, answered.answer);
    const sequence = this.#next++;
    this.#store.put(numberedKey(this.#prefix, Row.answer, sequence), out.finish());
    this.#requests.set(sequence, requestId);
    this.#byRequest.set(requestId, answered);
    if (this.#requests.size > controllerLimits.answersKept)
      this.#forget(sequence - controllerLimits.answersKept);
  }

  #forget(sequence: number): void {
    const requestId = must(this.#requests.get(sequence), 'answers are forgotten in order');
    this.#requests.delete(sequence);
    this.#byRequest.delete(requestId);
    this.#store.delete(numberedKey(this.#prefix, Row.answer, sequence));
  }
}
