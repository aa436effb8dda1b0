import type { Advance, Event, Fault, Home, Story, World } from '../search.ts';
import type { Bounds } from './bounds.ts';
import { Checks } from './checks.ts';
import { type EventKind, Events } from './events.ts';
import { MoveModel } from './move-model.ts';
import { Schedule } from './schedule.ts';
import { eventWords, rowWords } from './words.ts';

/** The model of moves as a search sees it. */
export class MoveWorld implements World, Home {
  readonly width: number;
  readonly home: Home = this;
  readonly symmetry: number = 1;
  readonly model: MoveModel;
  readonly #events: Events;
  readonly #checks: Checks;
  readonly #schedule: Schedule;
  readonly #event: Event = { kind: 0, left: 0, right: 0, fault: undefined };

  constructor(bounds: Bounds) {
    this.model = new MoveModel(bounds);
    this.width = this.model.layout.width;
    this.#events = new Events(this.model);
    this.#checks = new Checks(this.model);
    this.#schedule = new Schedule(this.model);
  }

  begin(row: Uint32Array): void {
    this.model.begin(row);
  }

  each(row: Uint32Array, tell: (next: Uint32Array, event: Event) => void): void {
    const event = this.#event;
    this.#events.each(row, {
      next(next, kind, left, right, fault) {
        event.kind = kind;
        event.left = left;
        event.right = right;
        event.fault = fault;
        tell(next, event);
      },
    });
  }

  fault(row: Uint32Array): Fault | undefined {
    return this.#checks.fault(row);
  }

  advance(row: Uint32Array): Advance {
    const progress = this.#schedule.advance(row);
    const { kind, left, right, fault } = this.#schedule;
    return { progress, event: { kind, left, right, fault } };
  }

  deadEnd(row: Uint32Array): Fault {
    return this.#checks.deadEnd(row);
  }

  story(): Story {
    return {
      event: (row, { kind, left, right }) => eventWords(this.model, row, kind as EventKind, left, right),
      state: (row) => rowWords(this.model, row),
    };
  }
}
