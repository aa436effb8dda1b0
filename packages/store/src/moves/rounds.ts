import { limits } from '@flotilla/wire';

/** Rounds after which what is open must have halved. */
const PATIENCE = 3;

/**
 * Whether a copy catches up with its writers. A round begins with so many bytes open, and ends once as many
 * have been taken in. If three rounds in a row did not halve what is open, the writers are too fast: then they
 * are to be held below half of what the last round took in per second.
 */
export class Rounds {
  #openedAtMs = 0;
  #opened = 0;
  #taken = 0;
  #lastRate = 0;
  /** What was open as each of the last rounds began. */
  #starts: number[] = [];
  #isLosing = false;

  /** Bytes per second for the writers; undefined while the copy gets ahead of them by itself. */
  get writersMax(): number | undefined {
    return this.#isLosing ? Math.max(1, Math.floor(this.#lastRate / 2)) : undefined;
  }

  /** Changes were applied in the target. */
  took(bytes: number): void {
    this.#taken += bytes;
  }

  /** The source was asked for changes, and so much was open then. */
  told(openBytes: number, nowMs: number): void {
    if (this.#starts.length > 0 && this.#taken < this.#opened) return;
    if (this.#starts.length > 0) {
      const seconds = Math.max(1, nowMs - this.#openedAtMs) / 1_000;
      this.#lastRate = this.#taken / seconds;
    }
    this.#starts.push(openBytes);
    if (this.#starts.length > PATIENCE + 1) this.#starts.shift();
    const first = this.#starts[0] as number;
    const isFull = this.#starts.length === PATIENCE + 1;
    // Once begun it goes on until the freeze: writers let loose would only undo what was won.
    if (isFull && openBytes > limits.freezeBytes && openBytes > first / 2) this.#isLosing = true;
    this.#opened = Math.max(openBytes, limits.importPieceBytes);
    this.#openedAtMs = nowMs;
    this.#taken = 0;
  }

  /** The copy had to begin again for the second time: from now on writers are held back from the start. */
  holdWriters(bytesPerSecond: number): void {
    this.#isLosing = true;
    this.#lastRate = bytesPerSecond;
  }

  /** A new copy has new rounds; whether the writers are too fast does not change with that. */
  restart(): void {
    this.#starts = [];
    this.#taken = 0;
  }
}
