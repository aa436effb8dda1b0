/** A mechanical mutant that no test can tell from the core. */
export interface Survivor {
  /** {@link Place.name} */
  readonly place: string;
  /** Why nothing that anybody can see is different. */
  readonly why: string;
}

export const survivors: readonly Survivor[] = [];
