import type { StoreId } from '@flotilla/base';
import { type ClusterConfig, FrameKind, type MoveProgress } from '@flotilla/wire';
import { Cancels } from './cancels.ts';
import { MoveCalls } from './move-calls.ts';
import { MoveDriver } from './move-driver.ts';
import { MoveDuties } from './move-duties.ts';
import { type MoveOrder, ordersOf } from './move-order.ts';
import type { MoveWorld } from './move-world.ts';
import { SourceDesk } from './source-desk.ts';
import { StepDesk } from './step-desk.ts';
import { Throttle } from './throttle.ts';

/**
 * Everything that this store does about moves: it drives those into groups that it leads, answers for groups
 * that it holds, clears up after those that ended, and cancels for the controller.
 */
export class Moves {
  readonly throttle: Throttle;
  readonly #world: MoveWorld;
  readonly #sourceDesk: SourceDesk;
  readonly #stepDesk: StepDesk;
  readonly #calls: MoveCalls;
  readonly #driver: MoveDriver;
  readonly #duties: MoveDuties;
  readonly #cancels: Cancels;
  #orders: readonly MoveOrder[] = [];
  #ordered: ClusterConfig | undefined;
  #isPlanned = false;
  #isStopped = false;
  /** More than single runs has to be looked at. */
  #isPlanDue = false;

  constructor(world: MoveWorld) {
    const { storeId, host, links, timers, random, meter, stampFor, now, rare } = world;
    this.#world = world;
    const refusals = meter.counter(
      'writes_throttled_total',
      'Writes that were told to come again, because their shard moves and its copy has to get ahead of them.',
    );
    this.throttle = new Throttle(now, refusals);
    this.#sourceDesk = new SourceDesk({ host, links, timers, throttle: this.throttle, rare });
    this.#stepDesk = new StepDesk({ host, links, stampFor, rare });
    const desks = { sourceDesk: this.#sourceDesk, stepDesk: this.#stepDesk };
    this.#calls = new MoveCalls({ storeId, host, links, timers, random, ...desks });
    this.#driver = new MoveDriver(world, this.#calls, () => this.#wake());
    this.#duties = new MoveDuties(world);
    this.#cancels = new Cancels(world, this.#calls, () => this.changed());
  }

  /** Open moves into groups that this store leads, and those that ended lately. */
  progress(): readonly MoveProgress[] {
    return this.#driver.progress();
  }

  /** Starts what is new and repeats what got no answer; everything else goes on by itself. */
  tick(): void {
    const config = this.#world.config();
    if (config !== this.#ordered) this.#orders = ordersOf(config);
    this.#ordered = config;
    this.#driver.plan(this.#orders);
    this.#cancels.tick(this.#orders);
    this.#duties.tick();
  }

  /** The config changed, or something else that may concern every move. */
  changed(): void {
    this.#isPlanDue = true;
    this.#wake();
  }

  /** True if the frame was one of ours. */
  onFrame(from: StoreId, kind: number, body: Uint8Array): boolean {
    switch (kind) {
      case FrameKind.moveAsk:
        this.#sourceDesk.onFrame(from, body);
        return true;
      case FrameKind.moveReply:
        this.#calls.onReply(from, body);
        return true;
      case FrameKind.moveStep:
        this.#stepDesk.onFrame(from, body);
        return true;
      case FrameKind.moveStepReply:
        this.#calls.onStepReply(from, body);
        return true;
      default:
        return false;
    }
  }

  peerDown(storeId: StoreId): void {
    this.#calls.peerDown(storeId);
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Once per turn of the event loop, however much happened in it. */
  #wake(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#world.timers.soon(() => {
      this.#isPlanned = false;
      if (this.#isStopped) return;
      const isTurnFree = this.#driver.work();
      if (!isTurnFree && !this.#isPlanDue) return;
      this.#isPlanDue = false;
      this.tick();
    });
  }
}
