import type { GroupName, Prng } from '@flotilla/base';
import type { Host, Proposal } from '@flotilla/host';
import type { SimWorld } from '../world/sim-world.ts';

export interface StepEchoParts {
  readonly world: SimWorld;
  readonly random: Prng;
  /** The host that leads this very group now; undefined if none does. */
  readonly leaderOf: (group: GroupName) => Host | undefined;
}

/** How many of the steps are taken again. */
const CHANCE = 0.05;
const DELAY_MS_MAX = 12_000;

/**
 * Puts steps of moves into the log of their group once more, when they are long over: what a driver proposes that
 * was held up, and acts on what it believed then. Wherever the shard has gone, a step that does not fit changes nothing.
 */
export class StepEcho {
  readonly #parts: StepEchoParts;
  #stopped = false;

  constructor(parts: StepEchoParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** This step was applied for the first time. */
  applied(group: GroupName, entry: Uint8Array): void {
    const { random, world } = this.#parts;
    if (this.#stopped || !random.chance(CHANCE)) return;
    const copy = entry.slice();
    world.time.set(random.unit() ** 2 * DELAY_MS_MAX, () => this.#propose(group, copy));
  }

  #propose(group: GroupName, data: Uint8Array): void {
    if (this.#stopped) return;
    const host = this.#parts.leaderOf(group);
    const replica = host?.replica(group.gid);
    if (host !== undefined && replica !== undefined) host.propose(replica, new LateStep(data));
  }
}

/** Nobody waits for it, and its stamp is that of the first time. */
class LateStep implements Proposal {
  readonly data: Uint8Array;

  constructor(data: Uint8Array) {
    this.data = data;
  }

  spares(): boolean {
    return true;
  }

  prepare(): void {}

  out(): undefined {}

  applied(): void {}

  refused(): void {}

  lost(): void {}
}
