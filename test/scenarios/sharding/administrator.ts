import type { SimClient } from '@flotilla/testkit/internal';
import type { AdminParams } from '@flotilla/wire';

const DEADLINE_MS = 5_000;

export type Wish = {
  readonly [M in 'join' | 'leave']: {
    readonly method: M;
    readonly params: Omit<AdminParams[M], 'requestId'>;
  };
}['join' | 'leave'];

/** Asks for the next thing as soon as the last one was answered, whatever the answer was. */
export class Administrator {
  granted = 0;
  isBusy = false;
  readonly #client: SimClient;
  readonly #next: () => Wish;
  #isStopped = false;

  constructor(client: SimClient, next: () => Wish) {
    this.#client = client;
    this.#next = next;
  }

  start(): void {
    const { core, timers } = this.#client;
    const { method, params } = this.#next();
    const full = { requestId: core.requestId(), ...params } as AdminParams['join' | 'leave'];
    this.isBusy = true;
    core.admin(method, full, core.deadlineMs(DEADLINE_MS), (call) => {
      this.isBusy = false;
      if (call.failure === undefined) this.granted++;
      timers.set(20, () => {
        if (!this.#isStopped) this.start();
      });
    });
  }

  stop(): void {
    this.#isStopped = true;
  }
}
