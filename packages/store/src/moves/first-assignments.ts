import { type MoveEntry, MoveStep, StepFate } from '@flotilla/wire';
import type { GroupScene } from './group-scene.ts';
import { type MoveOrder, moveKey } from './move-order.ts';
import type { MoveWorld } from './move-world.ts';
import { StepProposal } from './step-proposal.ts';

/** As many as one group may need at its founding. */
const OPEN_MAX = 4_096;

/**
 * Shards that nobody serves yet: an entry of the target's own log activates each of them empty, and that is
 * the deciding point. Repeated until the applied state shows it.
 */
export class FirstAssignments {
  readonly #world: MoveWorld;
  readonly #wake: () => void;
  readonly #open = new Set<string>();

  constructor(world: MoveWorld, wake: () => void) {
    this.#world = world;
    this.#wake = wake;
  }

  activate({ replica }: GroupScene, order: MoveOrder): void {
    const key = moveKey(order);
    if (this.#open.has(key) || this.#open.size >= OPEN_MAX) return;
    this.#open.add(key);
    const { moveId, shard, epoch } = order;
    const step: MoveEntry = { step: MoveStep.activateEmpty, moveId, shard, epoch };
    const proposal = new StepProposal({
      step,
      stamp: () => this.#world.stampFor(replica),
      spares: true,
      done: (reply) => {
        this.#open.delete(key);
        // What was refused is repeated by the next tick: at once it would be refused again, and again.
        if (reply.fate === StepFate.answered) this.#wake();
      },
    });
    this.#world.host.propose(replica, proposal);
  }
}
