import { assert } from '@flotilla/base';

/** Terms of one replica's log, as a checker remembers them: what was written, or what is durable. */
export class LogMirror {
  startIndex = 0;
  startTerm = 0;
  #terms: number[] = [];
  term = 0;
  vote = 0;
  commit = 0;

  get last(): number {
    return this.startIndex + this.#terms.length;
  }

  /** Undefined before the start and after the end. */
  termAt(index: number): number | undefined {
    if (index === this.startIndex) return this.startTerm;
    return this.#terms[index - this.startIndex - 1];
  }

  restart(index: number, term: number): void {
    this.startIndex = index;
    this.startTerm = term;
    this.#terms = [];
  }

  /** With a tombstone goes everything else that was known. */
  forgetVote(): void {
    this.term = 0;
    this.vote = 0;
    this.commit = 0;
  }

  /** Keeps what is before `index` and puts these terms there. */
  write(index: number, terms: readonly number[]): void {
    assert(
      index > this.startIndex && index <= this.last + 1,
      `entry ${index} leaves a gap in a mirrored log`,
    );
    this.#terms.length = index - this.startIndex - 1;
    for (const term of terms) this.#terms.push(term);
  }

  copy(): LogMirror {
    const copy = new LogMirror();
    copy.restart(this.startIndex, this.startTerm);
    copy.write(this.startIndex + 1, this.#terms);
    copy.term = this.term;
    copy.vote = this.vote;
    copy.commit = this.commit;
    return copy;
  }

  equals(other: LogMirror): boolean {
    if (this.startIndex !== other.startIndex || this.startTerm !== other.startTerm) return false;
    if (this.term !== other.term || this.vote !== other.vote || this.commit !== other.commit) return false;
    if (this.#terms.length !== other.#terms.length) return false;
    return this.#terms.every((term, at) => term === other.#terms[at]);
  }

  compact(index: number): void {
    if (index <= this.startIndex) return;
    const term = this.termAt(index);
    assert(term !== undefined, `a mirrored log is compacted to ${index}, which it does not hold`);
    this.#terms.splice(0, index - this.startIndex);
    this.startIndex = index;
    this.startTerm = term;
  }
}
