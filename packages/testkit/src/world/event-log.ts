/**
 * Everything that happens in a simulated world passes by here. Two runs of one seed are the same run exactly
 * if their event hashes are equal; and the last events that mean something to a person are kept as a story.
 */
export class EventLog {
  readonly #nowMs: () => number;
  readonly #kept: number;
  readonly #stories: { readonly ms: number; readonly words: string | (() => string) }[] = [];
  #next = 0;
  #high = 0x243f6a88;
  #low = 0x85a308d3;
  #count = 0;
  /** Sees every told event at once; for traces on a terminal. */
  listener: ((ms: number, words: string) => void) | undefined;

  constructor(nowMs: () => number, kept = 200) {
    this.#nowMs = nowMs;
    this.#kept = kept;
  }

  /** Events so far. */
  get count(): number {
    return this.#count;
  }

  /** Mixes an event into the hash. The numbers are taken modulo 2^32. */
  mix(kind: number, a: number, b: number): void {
    this.#count++;
    let high = Math.imul(this.#high ^ a ^ (kind << 24), 0x9e3779b1);
    high ^= high >>> 15;
    let low = Math.imul(this.#low ^ b ^ high, 0x85ebca77);
    low ^= low >>> 13;
    this.#high = (high + Math.imul(low, 0xc2b2ae3d)) | 0;
    this.#low = (low ^ Math.imul(this.#high, 0x27d4eb2f)) | 0;
  }

  /** Mixes bytes, thinly: length, ends and a few in between tell most differences at little cost. */
  mixBytes(kind: number, to: number, bytes: Uint8Array): void {
    const { length } = bytes;
    let sample = length;
    // The first eight bytes of a frame are the checksum of all others.
    for (let at = 0; at < 8 && at < length; at++)
      sample = Math.imul(sample ^ (bytes[at] as number), 0x01000193);
    this.mix(kind, to, sample);
  }

  mixText(kind: number, text: string): void {
    let hash = 0x811c9dc5;
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    this.mix(kind, text.length, hash);
  }

  /** Something that belongs into the story of a failure. Words that are costly to make may be a function. */
  tell(words: string | (() => string)): void {
    const ms = this.#nowMs();
    const story = { ms, words };
    if (this.#stories.length < this.#kept) this.#stories.push(story);
    else this.#stories[this.#next % this.#kept] = story;
    this.#next++;
    this.listener?.(ms, typeof words === 'string' ? words : words());
  }

  /** The last told events, oldest first. */
  story(count: number): string[] {
    const from = this.#next <= this.#kept ? 0 : this.#next % this.#kept;
    const ordered = [...this.#stories.slice(from), ...this.#stories.slice(0, from)];
    return ordered
      .slice(-count)
      .map(({ ms, words }) => `${timeWords(ms)} ${typeof words === 'string' ? words : words()}`);
  }

  /** 64 bits as 16 hexadecimal digits. */
  get hash(): string {
    const half = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
    return half(this.#high) + half(this.#low);
  }
}

export function timeWords(ms: number): string {
  return `${(ms / 1000).toFixed(4).padStart(9)} s`;
}

/** Kinds of mixed events. */
export const EventKind = {
  deliver: 1,
  logCommit: 2,
  stateCommit: 3,
  call: 4,
  answer: 5,
  fault: 6,
  log: 7,
  applied: 8,
} as const;
