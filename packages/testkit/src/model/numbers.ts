/** A list of numbers of 32 bits that grows. */
export class Numbers {
  #items = new Uint32Array(1 << 12);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get(at: number): number {
    return this.#items[at] as number;
  }

  set(at: number, value: number): void {
    this.#items[at] = value;
  }

  push(value: number): void {
    if (this.#length === this.#items.length) {
      const grown = new Uint32Array(this.#length * 2);
      grown.set(this.#items);
      this.#items = grown;
    }
    this.#items[this.#length++] = value;
  }

  /** Takes the last one off. */
  pop(): number {
    this.#length--;
    return this.#items[this.#length] as number;
  }
}
