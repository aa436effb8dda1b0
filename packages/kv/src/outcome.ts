import type { Writer } from '@flotilla/base';
import { assert, EMPTY_BYTES } from '@flotilla/base';
import { Status, writeConflict, writeOk, writeStatus } from '@flotilla/wire';

/**
 * What an executed command came to: the kinds of result that a session row keeps. `extra` is the new value of
 * an increment, or count u32 · next bytes16 of a range delete; empty otherwise.
 */
export type KeptStatus =
  | typeof Status.ok
  | typeof Status.conflict
  | typeof Status.notANumber
  | typeof Status.overflow
  | typeof Status.tooLarge
  | typeof Status.rangeDeleted;

export interface Outcome {
  status: KeptStatus;
  /** ok, rangeDeleted: the new version. conflict: the actual one. Otherwise 0. */
  version: number;
  extra: Uint8Array;
}

export function blankOutcome(): Outcome {
  return { status: Status.ok, version: 0, extra: EMPTY_BYTES };
}

export function writeOutcome(out: Writer, outcome: Readonly<Outcome>): void {
  switch (outcome.status) {
    case Status.ok:
      writeOk(out, outcome.version, outcome.extra);
      return;
    case Status.conflict:
      writeConflict(out, outcome.version);
      return;
    case Status.rangeDeleted:
      out.u8(Status.rangeDeleted);
      out.u53(outcome.version);
      out.raw(outcome.extra);
      return;
    default:
      writeStatus(out, outcome.status);
  }
}

export function isKeptStatus(status: number): status is KeptStatus {
  return (
    status === Status.ok ||
    status === Status.conflict ||
    (status >= Status.notANumber && status <= Status.tooLarge) ||
    status === Status.rangeDeleted
  );
}

export function keptStatus(status: number): KeptStatus {
  assert(isKeptStatus(status), () => `a session row keeps a result of status ${status}`);
  return status;
}
