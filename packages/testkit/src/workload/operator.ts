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
  } & {
    /** What to ask for soon afterwards, while this is under way. */
    readonly soonThen?: Decision;
  };
}[AdminMethod];

/** What to ask for now; undefined: nothing, this time. */
export type Decision = (situation: Situation) => Wish | undefined;

/** What an operator knows as it decides. */
export interface Situation {
  readonly random: Prng;
  readonly stores: readonly string[];
  /** The newest there is; an operator who looks at an older one does nothing that this one would not do, too. */
  readonly config: ClusterConfig;
  /** Of new groups: where a disk may be lost, none may hang on one store. */
  readonly replicasMin: 1 | 3;
}

export interface OperatorParts {
  readonly name: string;
  readonly client: SimClient;
  readonly random: Prng;
  readonly events: EventLog;
  readonly stores: readonly string[];
  readonly config: () => ClusterConfig | undefined;
  readonly meanPauseMs: number;
  readonly replicasMin: 1 | 3;
  readonly decide: Decision;
}

const DEADLINE_MS = 5_000;
const SOON_MS_MAX = 400;

/** A person who runs the cluster, at any bad moment: decides, asks, waits for the answer, pauses. */
export class Operator {
  readonly #parts: OperatorParts;
  #stopped = false;
  isBusy = false;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  start(): void {
    const { random, meanPauseMs, decide } = this.#parts;
    this.#later((0.3 + 1.4 * random.unit()) * meanPauseMs, decide);
  }

  stop(): void {
    this.#stopped = true;
  }

  #later(pauseMs: number, decide: Decision): void {
    this.#parts.client.timers.set(pauseMs, () => {
      if (!this.#stopped) this.#next(decide);
    });
  }

  #next(decide: Decision): void {
    const { client, random, stores, replicasMin } = this.#parts;
    const config = this.#parts.config();
    const wish = config && decide({ random, stores, config, replicasMin });
    if (wish === undefined) {
      this.start();
      return;
    }
    this.isBusy = true;
    const { core } = client;
    // A request without effect takes no id and ignores one.
    const params = { requestId: core.requestId(), ...wish.params } as AdminParams[AdminMethod];
    core.admin(wish.method, params, core.deadlineMs(DEADLINE_MS), (call) => {
      this.#done(wish, call.failure?.message);
    });
  }

  #done({ words, soonThen }: Wish, failure: string | undefined): void {
    this.isBusy = false;
    const { name, events, random } = this.#parts;
    events.tell(() => `${name}: ${words}: ${failure ?? 'done'}`);
    if (this.#stopped) return;
    if (soonThen === undefined) this.start();
    else this.#later(random.unit() ** 2 * SOON_MS_MAX, soonThen);
  }
}
