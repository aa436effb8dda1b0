import { type Recorder, type SimClient, SimRead, SimWrite } from '@flotilla/testkit/internal';

/** So long that it outlives everything that is done to the cluster: whoever calls waits for the answer. */
const DEADLINE_MS = 60_000;

export interface CallerParts {
  readonly client: SimClient;
  readonly recorder: Recorder;
  readonly key: string;
  readonly kind: 'append' | 'get';
  readonly thinkMs: number;
}

/** Somebody in a closed loop, who appends ids of its own to one key, or reads it. */
export class Caller {
  readonly key: string;
  isBusy = false;
  answered = 0;
  readonly #parts: CallerParts;
  #number = 0;
  #isStopped = false;

  constructor(parts: CallerParts) {
    this.#parts = parts;
    this.key = parts.key;
  }

  start(): void {
    const { client, thinkMs } = this.#parts;
    client.timers.set(thinkMs, () => {
      if (!this.#isStopped) this.#next();
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  #next(): void {
    const { client, recorder, kind } = this.#parts;
    const { id, core } = client;
    const deadlineMs = core.deadlineMs(DEADLINE_MS);
    this.isBusy = true;
    if (kind === 'get') {
      const open = recorder.invoke(id, this.key, { kind });
      core.submit(new SimRead(this.key, deadlineMs, (outcome) => this.#done(open, outcome)));
      return;
    }
    const call = { kind, value: `${id}:${++this.#number};` };
    const open = recorder.invoke(id, this.key, call);
    core.submit(new SimWrite(this.key, call, deadlineMs, (outcome) => this.#done(open, outcome)));
  }

  #done(...[open, outcome]: Parameters<Recorder['respond']>): void {
    this.isBusy = false;
    const { kind } = outcome;
    if (kind === 'ok' || kind === 'found' || kind === 'absent') this.answered++;
    this.#parts.recorder.respond(open, outcome);
    this.start();
  }
}
