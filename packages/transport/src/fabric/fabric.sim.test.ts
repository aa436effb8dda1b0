import { expect, test } from 'vitest';
import { FabricLab, type LabStore } from '../../contract/fabric-lab.ts';

/**
 * Random outages of every kind, then peace: whatever happened, every pair of stores must end with exactly
 * one socket for each lane, agree on who is up, and have told their hosts ups and downs in turns.
 */

const SEEDS = 60;
const STORES = ['s1', 's2', 's3', 's4'];
const START = Number(process.env.FLOTILLA_SEED ?? 1);

class Storm {
  readonly lab: FabricLab;
  readonly #random;
  readonly #stores = new Map<string, LabStore>();
  readonly #stalled = new Set<string>();
  readonly #lives = new Map<string, number>();

  constructor(seed: number) {
    this.lab = new FabricLab(seed);
    this.#random = this.lab.random.fork('storm');
    this.lab.hub.policy = {
      route: (from, to) =>
        this.#stalled.has(`${from} ${to}`) ? Number.POSITIVE_INFINITY : this.#random.below(25),
    };
    for (const storeId of STORES) this.#start(storeId, false);
  }

  #start(storeId: string, blankDisk: boolean): void {
    if (blankDisk) this.#lives.set(storeId, (this.#lives.get(storeId) ?? 1) + 1);
    const life = this.#lives.get(storeId) ?? 1;
    const store = this.lab.store(storeId, {
      identity: { storeId, incarnation: `${storeId}-life-${life}` },
      address: `${storeId}-${this.#random.below(3)}:1`,
      seeds: STORES.flatMap((other) => [0, 1, 2].map((number) => `${other}-${number}:1`)),
      addressBook: blankDisk ? [] : (this.#stores.get(storeId)?.book ?? []),
    });
    this.#stores.set(storeId, store);
    store.fabric.want(STORES);
  }

  /** One thing goes wrong, or right. */
  step(): void {
    const pick = (): string => STORES[this.#random.below(STORES.length)] as string;
    const [left, right] = [pick(), pick()];
    const dice = this.#random.below(10);
    if (dice < 3) {
      const told = [left, right].filter(() => this.#random.chance(0.7));
      this.lab.hub.breakLinks(left, right, told);
    } else if (dice < 5) {
      this.#stalled.add(`${left} ${right}`);
    } else if (dice < 7) {
      this.#stalled.delete(`${left} ${right}`);
      this.lab.hub.release();
    } else if (dice < 9) {
      this.#stores.get(left)?.kill({ silently: this.#random.chance(0.5) });
      this.#start(left, this.#random.chance(0.2));
    }
    this.lab.time.advance(this.#random.below(this.#random.chance(0.2) ? 20_000 : 500));
  }

  heal(): void {
    this.#stalled.clear();
    this.lab.hub.release();
  }

  get meshed(): boolean {
    return [...this.#stores.values()].every(
      ({ fabric }) =>
        fabric.peers().filter((peer) => peer.consensusUp && peer.bulkUp).length === STORES.length - 1,
    );
  }

  check(): void {
    for (const [storeId, store] of this.#stores) {
      for (const other of STORES) {
        const told = store.host.heard
          .filter((event) => event.endsWith(` ${other}`))
          .map((event) => event.split(' ')[0]);
        expect(told.every((event, at) => event === (at % 2 === 0 ? 'up' : 'down'))).toBe(true);
        if (other === storeId) continue;
        const life = this.#lives.get(other) ?? 1;
        expect(store.host.up.get(other)?.incarnation).toBe(`${other}-life-${life}`);
        expect(store.fabric.addressOf(other)).toBe(this.#stores.get(other)?.address);
      }
    }
  }
}

for (let seed = START; seed < START + SEEDS; seed++) {
  test(`every outage heals (FLOTILLA_SEED=${seed})`, () => {
    const storm = new Storm(seed);
    for (let count = 0; count < 40; count++) storm.step();
    storm.heal();
    storm.lab.until(() => storm.meshed, 60_000);
    storm.lab.time.advance(20_000);
    expect(storm.meshed).toBe(true);
    expect(storm.lab.hub.connections).toBe(2 * 6);
    storm.check();
    const before = storm.lab.time.waiting;
    storm.lab.time.advance(30_000);
    expect(storm.lab.time.waiting).toBeLessThanOrEqual(before + 24);
  });
}
