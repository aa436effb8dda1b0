import type { FrozenFacts } from '@flotilla/wire';
import type { MoveLog } from './move-log.ts';

/**
 * What a driver knows of a move besides the applied state of its target: things that the source said. They
 * are facts about its log and do not go stale, and whoever drives the move next finds them out again.
 */
export class MoveFacts {
  readonly log: MoveLog;
  r0: number | undefined;
  frozen: FrozenFacts | undefined;
  /** When a freeze was first sent that may have been applied. */
  freezeSentAtMs: number | undefined;
  /** Even the leader of the source could not answer for the export: a step must say whether it is open. */
  isSourceUnsure = false;
  /** When the move last came on. */
  progressAtMs: number;

  constructor(log: MoveLog, nowMs: number) {
    this.log = log;
    this.progressAtMs = nowMs;
  }

  /** The source may be frozen: no pause, no limit and no other move may hold this one up. */
  get isPastFreeze(): boolean {
    return this.frozen !== undefined || this.freezeSentAtMs !== undefined;
  }

  progressed(nowMs: number): void {
    this.progressAtMs = nowMs;
    this.log.problem = '';
  }

  /** The source's index begins here. A trimmed one never grows back. */
  opened(r0: number, nowMs: number): void {
    this.r0 = Math.max(r0, this.r0 ?? 0);
    this.progressed(nowMs);
  }

  sourceFroze(facts: FrozenFacts, nowMs: number): void {
    if (this.frozen === undefined) this.log.frozen(facts.revision);
    this.frozen = facts;
    this.progressed(nowMs);
  }
}
