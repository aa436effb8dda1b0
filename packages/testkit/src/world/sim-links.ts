import type { Prng } from '@flotilla/base';
import type { LinkPolicy } from '@flotilla/transport';

/** How the links of one world behave when nobody disturbs them. */
export interface LinkQuality {
  /** Every message takes this long … */
  readonly delayMs: number;
  /** … and up to this much more. */
  readonly jitterMs: number;
  /** Some take much longer. */
  readonly tailProbability: number;
  readonly tailMs: number;
  /** Chance that sending a message finds the connection reset. */
  readonly resetProbability: number;
  /** Chance that a byte of a message arrives changed. */
  readonly damageProbability: number;
}

export const quietLinks: LinkQuality = {
  delayMs: 0.25,
  jitterMs: 0.25,
  tailProbability: 0.002,
  tailMs: 20,
  resetProbability: 0,
  damageProbability: 0,
};

/** A narrow link with more to carry than this is clogged. */
const CLOGGED_MS = 1_500;

/**
 * All links of the world. A cut holds bytes as TCP does: they arrive after the cut is healed, unless an end
 * gave up first. Cuts are counted by name, so that overlapping faults heal one by one.
 */
export class SimLinks implements LinkPolicy {
  quality: LinkQuality;
  /** Weather of a test's own, link by link: what it adds to the delay; undefined breaks the connection. */
  weather: LinkPolicy['route'] = () => 0;
  readonly #random: Prng;
  readonly #cuts = new Map<string, ReadonlySet<string>>();
  readonly #nowMs: () => number;
  readonly #narrow = new Map<string, { readonly link: string; readonly bytesPerMs: number }>();
  /** When each direction of a narrow link will have carried what it was given. */
  readonly #carriedMs = new Map<string, number>();
  readonly #torn = new Set<string>();
  readonly #slow = new Map<string, { readonly link: string; readonly ms: number }>();
  #isCut: ReadonlySet<string> = new Set();
  damaged = 0;
  resets = 0;

  constructor(random: Prng, quality: LinkQuality = quietLinks, nowMs: () => number = () => 0) {
    this.#nowMs = nowMs;
    this.#random = random;
    this.quality = quality;
  }

  /** Cuts each direction `from>to` until {@link heal} of that name. */
  cut(name: string, directions: readonly string[]): void {
    this.#cuts.set(name, new Set(directions));
    this.#update();
  }

  /** Adds a delay in both directions between two nodes. */
  slow(name: string, left: string, right: string, ms: number): void {
    this.#slow.set(name, { link: linkName(left, right), ms });
  }

  /** Bounds what both directions between two nodes carry in a millisecond. */
  narrow(name: string, left: string, right: string, bytesPerMs: number): void {
    this.#narrow.set(name, { link: linkName(left, right), bytesPerMs });
  }

  /** The next message between the two breaks off, and the connection with it. */
  tear(left: string, right: string): void {
    this.#torn.add(linkName(left, right));
  }

  /** Ends a cut, a delay or a bound. True if there was one. */
  heal(name: string): boolean {
    const was = this.#cuts.delete(name);
    this.#update();
    const wasNarrow = this.#narrow.delete(name);
    if (this.#narrow.size === 0) this.#carriedMs.clear();
    return this.#slow.delete(name) || wasNarrow || was;
  }

  healAll(): void {
    this.#cuts.clear();
    this.#slow.clear();
    this.#narrow.clear();
    this.#carriedMs.clear();
    this.#torn.clear();
    this.#update();
  }

  isCut(from: string, to: string): boolean {
    return this.#isCut.size > 0 && this.#isCut.has(`${machineOf(from)}>${machineOf(to)}`);
  }

  route(from: string, to: string, bytes: number): number | undefined {
    if (this.isCut(from, to)) return Number.POSITIVE_INFINITY;
    const weatherMs = this.weather(machineOf(from), machineOf(to), bytes);
    if (weatherMs === undefined) {
      this.resets++;
      return undefined;
    }
    if (bytes > 0 && this.#torn.size > 0 && this.#torn.delete(linkName(machineOf(from), machineOf(to)))) {
      this.resets++;
      return undefined;
    }
    const { quality } = this;
    if (quality.resetProbability > 0 && this.#random.chance(quality.resetProbability)) {
      this.resets++;
      return undefined;
    }
    let delay = weatherMs + quality.delayMs + this.#random.unit() * quality.jitterMs;
    if (this.#random.chance(quality.tailProbability)) delay += this.#random.unit() * quality.tailMs;
    if (this.#slow.size > 0) {
      const link = linkName(machineOf(from), machineOf(to));
      for (const slow of this.#slow.values()) if (slow.link === link) delay += slow.ms;
    }
    return this.#narrow.size === 0 ? delay : delay + this.#queuedMs(machineOf(from), machineOf(to), bytes);
  }

  /** How long these bytes wait for those before them. Beyond a bound they are held until the link is healed. */
  #queuedMs(from: string, to: string, bytes: number): number {
    const link = linkName(from, to);
    let bytesPerMs = Number.POSITIVE_INFINITY;
    for (const narrow of this.#narrow.values()) {
      if (narrow.link === link) bytesPerMs = Math.min(bytesPerMs, narrow.bytesPerMs);
    }
    if (bytesPerMs === Number.POSITIVE_INFINITY) return 0;
    const direction = `${from}>${to}`;
    const nowMs = this.#nowMs();
    const carriedMs = Math.max(nowMs, this.#carriedMs.get(direction) ?? 0) + bytes / bytesPerMs;
    if (carriedMs - nowMs > CLOGGED_MS) return Number.POSITIVE_INFINITY;
    this.#carriedMs.set(direction, carriedMs);
    return carriedMs - nowMs;
  }

  damage(_from: string, _to: string, copy: Uint8Array): void {
    const { damageProbability } = this.quality;
    if (damageProbability === 0 || copy.length === 0 || !this.#random.chance(damageProbability)) return;
    this.damaged++;
    const at = this.#random.below(copy.length);
    copy[at] = (copy[at] as number) ^ (1 << this.#random.below(8));
  }

  #update(): void {
    this.#isCut = new Set([...this.#cuts.values()].flatMap((directions) => [...directions]));
  }
}

/** Somebody who dials a store that is down knows no more than its address. */
function machineOf(node: string): string {
  const colon = node.indexOf(':');
  return colon < 0 ? node : node.slice(0, colon);
}

function linkName(left: string, right: string): string {
  return left < right ? `${left}~${right}` : `${right}~${left}`;
}
