import { type Recorder, type SimClient, SimWrite } from '@flotilla/testkit';

/** So long that it outlives everything that is done to the cluster: whoever appends waits for the answer. */
const DEADLINE_MS = 60_000;

/** One caller in a closed loop, who appends ids of its own to one key. */
export class Appender {
  readonly key: string;
  isBusy = false;
  acknowledged = 0;
  /** Longest time from call to answer, ms. */
  slowestMs = 0;
  readonly #client: SimClient;
  readonly #recorder: Recorder;
  readonly #thinkMs: number;
  #number = 0;
  #isStopped = false;

  constructor(client: SimClient, recorder: Recorder, key: string, thinkMs: number) {
    this.#client = client;
    this.#recorder = recorder;
    this.key = key;
    this.#thinkMs = thinkMs;
  }

  start(): void {
    this.#client.timers.set(this.#thinkMs, () => {
      if (!this.#isStopped) this.#next();
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  #next(): void {
    const { id, core, clock } = this.#client;
    const call = { kind: 'append', value: `${id}:${++this.#number};` } as const;
    const open = this.#recorder.invoke(id, this.key, call);
    const begin = clock.monoMs();
    this.isBusy = true;
    core.submit(
      new SimWrite(this.key, call, core.deadlineMs(DEADLINE_MS), (outcome) => {
        this.isBusy = false;
        if (outcome.kind === 'ok') this.acknowledged++;
        this.slowestMs = Math.max(this.slowestMs, clock.monoMs() - begin);
        this.#recorder.respond(open, outcome);
        this.start();
      }),
    );
  }
}
