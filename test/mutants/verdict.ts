/** What a process of the suites is asked to run. */
export interface Task {
  /** Absolute path and the text that takes the place of the file's own. */
  readonly texts: Readonly<Record<string, string>>;
  /** Test files from the root, in this order. */
  readonly files: readonly string[];
}

/** `broken`: the suites could not even run, which is a fault of the mutant and nobody's merit. */
export type Verdict =
  | { readonly kind: 'killed'; readonly by: string }
  | { readonly kind: 'survived'; readonly tests: number }
  | { readonly kind: 'broken'; readonly why: string };
