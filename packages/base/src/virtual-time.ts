import { assert } from './assert.ts';

/**
 * A clock and timers that stand still until they are told to go on. Everything that waits does so in one
 * heap ordered by (due time, order of asking), so that the same calls always lead to the same sequence of
 * callbacks. It has the shape of the ports `Clock` and `Timers`, which this package may not name.
 */

interface Waiting {
  readonly id: number;
  readonly due: number;
  readonly sequence: number;
  /** Undefined once cleared; the entry then waits to be swept out. */
  callback: (() => void) | undefined;
}

export class VirtualTime {
  #nowMs = 0;
  #wallOffsetMs: number;
  #sequence = 0;
  readonly #heap: Waiting[] = [];
  readonly #byId = new Map<number, Waiting>();
  /** `soon` callbacks, oldest first. They are due now, so their own list saves them the heap. */
  #soon: Waiting[] = [];
  #soonHead = 0;

  constructor(wallMs = 1_700_000_000_000) {
    this.#wallOffsetMs = wallMs;
  }

  monoMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  /** Moves the wall clock, as an administrator or a time service does; nothing else notices. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  set(delayMs: number, callback: () => void): number {
    assert(!Number.isNaN(delayMs), 'a timer needs a delay that is a number');
    const waiting = this.#waiting(this.#nowMs + Math.max(0, delayMs), callback);
    this.#byId.set(waiting.id, waiting);
    if (waiting.due !== Number.POSITIVE_INFINITY) this.#push(waiting);
    return waiting.id;
  }

  clear(id: number): void {
    const waiting = this.#byId.get(id);
    if (waiting === undefined) return;
    this.#byId.delete(id);
    waiting.callback = undefined;
    // Timers that are set and cleared over and over must not fill the heap with the dead.
    if (this.#heap.length > 64 && this.#heap.length > 2 * this.#byId.size) this.#sweep();
  }

  /** Runs after everything that is already due at this moment. */
  soon(callback: () => void): void {
    this.#soon.push(this.#waiting(this.#nowMs, callback));
  }

  /** How many callbacks wait. */
  get waiting(): number {
    return this.#byId.size + this.#soon.length - this.#soonHead;
  }

  /** When the next callback is due; undefined if none waits. */
  nextDueMs(): number | undefined {
    return this.#peek()?.due;
  }

  /** Goes to the next callback and runs it. False if none waits. */
  runNext(): boolean {
    const next = this.#peek();
    if (next === undefined) return false;
    if (next === this.#soon[this.#soonHead]) {
      this.#soonHead++;
      if (this.#soonHead === this.#soon.length) {
        this.#soon = [];
        this.#soonHead = 0;
      }
    } else {
      this.#pop();
      this.#byId.delete(next.id);
    }
    assert(next.due >= this.#nowMs, 'virtual time never goes back');
    this.#nowMs = next.due;
    const callback = next.callback;
    next.callback = undefined;
    callback?.();
    return true;
  }

  /** Lets `ms` pass and runs all that becomes due meanwhile, also what the callbacks ask for. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    for (let next = this.#peek(); next !== undefined && next.due <= until; next = this.#peek())
      this.runNext();
    this.#nowMs = until;
  }

  #waiting(due: number, callback: () => void): Waiting {
    const sequence = ++this.#sequence;
    return { id: sequence, due, sequence, callback };
  }

  #peek(): Waiting | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].callback === undefined) this.#pop();
    const timer = this.#heap[0];
    const soon = this.#soon[this.#soonHead];
    if (timer === undefined || soon === undefined) return timer ?? soon;
    return before(timer, soon) ? timer : soon;
  }

  #push(waiting: Waiting): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(waiting);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt] as Waiting;
      if (before(parent, waiting)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = waiting;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Waiting;
    const length = heap.length;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let childAt = at * 2 + 1;
      if (childAt >= length) break;
      if (childAt + 1 < length && before(heap[childAt + 1] as Waiting, heap[childAt] as Waiting)) childAt++;
      const child = heap[childAt] as Waiting;
      if (before(last, child)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
  }

  #sweep(): void {
    const alive = this.#heap.filter((waiting) => waiting.callback !== undefined);
    this.#heap.length = 0;
    for (const waiting of alive) this.#push(waiting);
  }
}

function before(left: Waiting, right: Waiting): boolean {
  return left.due !== right.due ? left.due < right.due : left.sequence < right.sequence;
}
