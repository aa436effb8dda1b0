/** What a process is asked to run: a sabotage, and the seeds in which it is looked for. */
export interface Task {
  readonly name: string;
  readonly first: number;
  readonly seeds: number;
}

/** A check that failed in the world of a seed. */
export interface Caught {
  readonly kind: 'caught';
  readonly seed: number;
  readonly tried: number;
  readonly checker: string;
  /** What the check said. */
  readonly says: string;
}

export interface Survived {
  readonly kind: 'survived';
  readonly tried: number;
}

/** The sources could not even be loaded: that is nobody's merit. */
export interface Broken {
  readonly kind: 'broken';
  readonly why: string;
}

export type Verdict = Caught | Survived | Broken;
