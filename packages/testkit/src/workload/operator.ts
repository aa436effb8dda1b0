import type { Prng } from '@flotilla/base';
import type { AdminMethod, AdminParams, ClusterConfig } from '@flotilla/wire';
import type { EventLog } from '../world/event-log.ts';
import type { SimClient } from '../world/sim-client.ts';

/** A request of an operator. */
export type Wish = {
  readonly [M in AdminMethod]: {
    readonly method: M;
    readonly params: Omit<AdminParams[M], 'requestId'>;
    /** For the story. */
    readonly words: string;
  };
}[AdminMethod];

/** What an operator knows as it decides. */
export interface Situation {
  readonly random: Prng;
  readonly stores: readonly string[];
  /** The newest there is; an operator who looks at an older one does nothing that this one would not do, too. */
  readonly config: ClusterConfig;
}

export interface OperatorParts {
  readonly name: string;
  readonly client: SimClient;
  readonly random: Prng;
  readonly events: EventLog;
  readonly stores: readonly string[];
  readonly config: () => ClusterConfig | undefined;
  readonly meanPauseMs: number;
  /** What to ask for now; undefined: nothing, this time. */
  readonly decide: (situation: Situation) => Wish | undefined;
}

const DEADLINE_MS = 5_000;

/** A person who runs the cluster, at any bad moment: decides, asks, waits for the answer, pauses. */
export class Operator {
  readonly #parts: OperatorParts;
  #stopped = false;
  isBusy = false;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  start(): void {
    const { client, random, meanPauseMs } = this.#parts;
    client.timers.set((0.3 + 1.4 * random.unit()) * meanPauseMs, () => {
      if (!this.#stopped) this.#next();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  #next(): void {
    const { client, random, stores, decide } = this.#parts;
    const config = this.#parts.config();
    const wish = config && decide({ random, stores, config });
    if (wish === undefined) {
      this.start();
      return;
    }
    this.isBusy = true;
    const { core } = client;
    // A request without effect takes no id and ignores one.
    const params = { requestId: core.requestId(), ...wish.params } as AdminParams[AdminMethod];
    core.admin(wish.method, params, core.deadlineMs(DEADLINE_MS), (call) => {
      this.#done(wish.words, call.failure?.message);
    });
  }

  #done(what: string, failure: string | undefined): void {
    this.isBusy = false;
    const { name, events } = this.#parts;
    events.tell(() => `${name}: ${what}: ${failure ?? 'done'}`);
    if (!this.#stopped) this.start();
  }
}
