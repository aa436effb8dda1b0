/** First in, first out, without a limit of its own: what may wait is counted by the client as a whole. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head] as T;
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Everything that waits, in order; the queue is empty afterwards. */
  takeAll(): T[] {
    const taken = this.#head === 0 ? this.#items : this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return taken;
  }

  /** What waits now; what is pushed meanwhile is not visited. */
  each(visit: (item: T) => void): void {
    const items = this.#items;
    const end = items.length;
    for (let at = this.#head; at < end; at++) visit(items[at] as T);
  }
}
