import { VirtualTime } from '@flotilla/base';
import { CheckFailure } from '../checkers/failure.ts';

/** Far more than anybody can mean to do in no time at all. */
const EVENTS_AT_ONCE_MAX = 100_000;

/** Virtual time in which nobody may keep busy for ever at one moment: a real processor would be fully used. */
export class WatchedTime extends VirtualTime {
  #nowMs = -1;
  #events = 0;

  override runNext(): boolean {
    const didRun = super.runNext();
    const nowMs = this.monoMs();
    if (nowMs === this.#nowMs) this.#events++;
    else this.#events = 0;
    this.#nowMs = nowMs;
    if (this.#events > EVENTS_AT_ONCE_MAX) {
      throw new CheckFailure(
        'liveness',
        `${EVENTS_AT_ONCE_MAX} things happen at one moment, and no end of it`,
      );
    }
    return didRun;
  }
}
