/** What a process gets instead of data. It cannot go on. */
export class ReadFailure extends Error {}

/**
 * Between a process and its world: nothing reaches a dead process, and what arrives while a process is
 * stopped (SIGSTOP, a suspended machine) waits until it goes on. Then it meets everything at once.
 */
export class ProcessGate {
  /** Ends the process because its disk could not be read; without it such an error passes on. */
  unreadable: ((cause: ReadFailure) => void) | undefined;
  #dead = false;
  #paused = false;
  #held: (() => void)[] = [];

  get isDead(): boolean {
    return this.#dead;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Runs it now, later or never. */
  enter(callback: () => void): void {
    if (this.#dead) return;
    if (this.#paused) this.#held.push(callback);
    else this.#run(callback);
  }

  #run(callback: () => void): void {
    try {
      callback();
    } catch (cause) {
      if (!(cause instanceof ReadFailure) || this.unreadable === undefined) throw cause;
      this.unreadable(cause);
    }
  }

  die(): void {
    this.#dead = true;
    this.#held = [];
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    for (const callback of held) this.enter(callback);
  }
}
