import type { Prng } from '@flotilla/base';
import type { EventLog } from '../world/event-log.ts';
import type { SimClient } from '../world/sim-client.ts';

export interface OperatorParts {
  readonly client: SimClient;
  readonly random: Prng;
  readonly events: EventLog;
  readonly stores: readonly string[];
  /** Groups that exist from the start: 1 to this. */
  readonly groups: number;
  readonly meanPauseMs: number;
}

const DEADLINE_MS = 5_000;
/** Groups that join while faults happen; they get no shards, but they must come to life all the same. */
const JOINS_MAX = 2;
const FIRST_JOINED_GID = 100;

/** The person who runs the cluster: moves leaders about, founds groups, looks at things, at any bad moment. */
export class Operator {
  readonly #parts: OperatorParts;
  #joined = 0;
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
    const { client, random, stores, groups } = this.#parts;
    const { core } = client;
    const deadlineMs = core.deadlineMs(DEADLINE_MS);
    this.isBusy = true;
    const dice = random.below(100);
    if (dice < 70) {
      const gid = random.below(groups + 1 + this.#joined);
      const target = gid <= groups ? gid : FIRST_JOINED_GID + gid - groups - 1;
      const store = stores[random.below(stores.length)] as string;
      const params = { requestId: core.requestId(), gid: target, store };
      core.admin('transferLeader', params, deadlineMs, (call) => {
        this.#done(`transfer of group ${target} to ${store}`, call.failure?.message);
      });
    } else if (dice < 85 || this.#joined === JOINS_MAX) {
      core.admin('status', { after: '' }, deadlineMs, (call) => this.#done('status', call.failure?.message));
    } else {
      const gid = FIRST_JOINED_GID + this.#joined++;
      const params = {
        requestId: core.requestId(),
        plan: false,
        groups: [{ gid, stores: stores.slice(0, 3) }],
      };
      core.admin('join', params, deadlineMs, (call) =>
        this.#done(`join of group ${gid}`, call.failure?.message),
      );
    }
  }

  #done(what: string, failure: string | undefined): void {
    this.isBusy = false;
    this.#parts.events.tell(() => `operator: ${what}: ${failure ?? 'done'}`);
    if (!this.#stopped) this.start();
  }
}
