import { type GroupRecord, MoveAnswer, type MoveEntry, MoveStep, StepFate } from '@flotilla/wire';
import { BackOff } from './back-off.ts';
import type { MoveCalls } from './move-calls.ts';
import { groupOf, type MoveOrder, moveKey } from './move-order.ts';
import { MoveReports } from './move-reports.ts';
import type { MoveWorld } from './move-world.ts';

/** Asked at a time; as many as are answered make room for others. */
const OPEN_MAX = 64;

interface Cancel {
  readonly order: MoveOrder;
  readonly backOff: BackOff;
  isAsking: boolean;
  /** What the deciding group said; until a config shows it. */
  answer: 'cancelled' | 'tooLate' | undefined;
}

/**
 * Cancels moves that the config wants cancelled, while this store leads the controller. Where a move ends is
 * decided in the log of its source: cancelled there it never happens, frozen there it only goes forward. For
 * a first assignment the target decides. The controller only asks, and writes down the answer.
 */
export class Cancels {
  readonly #world: MoveWorld;
  readonly #calls: MoveCalls;
  readonly #cancels = new Map<string, Cancel>();
  readonly #cancelled: MoveReports;
  readonly #tooLate: MoveReports;
  /** Something was answered: look again before the next tick. */
  readonly #wake: () => void;
  #asking = 0;

  constructor(world: MoveWorld, calls: MoveCalls, wake: () => void) {
    this.#world = world;
    this.#calls = calls;
    this.#wake = wake;
    this.#cancelled = new MoveReports(world, 'cancelled');
    this.#tooLate = new MoveReports(world, 'tooLate');
  }

  tick(orders: readonly MoveOrder[]): void {
    const isController = this.#world.host.replica(0)?.isServing === true;
    const wanted = isController ? orders.filter((order) => order.isCancelling) : [];
    const keys = new Set(wanted.map(moveKey));
    for (const key of [...this.#cancels.keys()]) if (!keys.has(key)) this.#cancels.delete(key);
    if (wanted.length === 0) return;
    for (const order of wanted) this.#pursue(order);
    const answered = (answer: Cancel['answer']): readonly MoveOrder[] =>
      [...this.#cancels.values()].filter((each) => each.answer === answer).map(({ order }) => order);
    this.#cancelled.tell(answered('cancelled'));
    this.#tooLate.tell(answered('tooLate'));
  }

  #pursue(order: MoveOrder): void {
    const key = moveKey(order);
    let cancel = this.#cancels.get(key);
    if (cancel === undefined) {
      cancel = { order, backOff: new BackOff(), isAsking: false, answer: undefined };
      this.#cancels.set(key, cancel);
    }
    if (cancel.isAsking || cancel.answer !== undefined || this.#asking >= OPEN_MAX) return;
    if (cancel.backOff.isOver(this.#world.now())) this.#ask(cancel);
  }

  #ask(cancel: Cancel): void {
    const { moveId, shard, source, target } = cancel.order;
    const isFirst = source === 0;
    const group: GroupRecord | undefined = groupOf(this.#world.config(), isFirst ? target : source);
    if (group === undefined) return;
    const step: MoveEntry = { step: isFirst ? MoveStep.abort : MoveStep.cancel, moveId, shard };
    cancel.isAsking = true;
    this.#asking++;
    this.#calls.step(group, step, (reply) => {
      cancel.isAsking = false;
      this.#asking--;
      const answer = reply?.fate === StepFate.answered ? reply.outcome.answer : undefined;
      if (answer === MoveAnswer.cancelled || answer === MoveAnswer.aborted) cancel.answer = 'cancelled';
      else if (answer === MoveAnswer.tooLate || answer === MoveAnswer.active) cancel.answer = 'tooLate';
      else cancel.backOff.failed(this.#world.now());
      this.#wake();
    });
  }
}
