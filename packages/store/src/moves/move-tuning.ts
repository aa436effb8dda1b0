/** Sizes by which moves are driven. They decide when something happens, never what may. */
export interface MoveTuning {
  /** Open bytes above which a copy catches up before its last page … */
  readonly catchUpBytes: number;
  /** … and those at which it goes back to pages. */
  readonly caughtUpBytes: number;
  /** Changes taken in after which the source is told that it need not keep them. */
  readonly trimBytes: number;
  /** A source's index beyond this is dropped, and its target begins again: it was away for too long. */
  readonly indexBytesMax: number;
}

export const moveTuning: MoveTuning = {
  catchUpBytes: 8_388_608,
  caughtUpBytes: 1_048_576,
  trimBytes: 8_388_608,
  indexBytesMax: 67_108_864,
};
