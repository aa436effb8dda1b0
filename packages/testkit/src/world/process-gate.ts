/**
 * Between a process and its world: nothing reaches a dead process, and what arrives while a process is
 * stopped (SIGSTOP, a suspended machine) waits until it goes on. Then it meets everything at once.
 */
export class ProcessGate {
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
    else callback();
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
