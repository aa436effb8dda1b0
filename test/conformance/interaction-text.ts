import { expect } from 'vitest';
import { parseFile } from './parser.ts';
import { runCases } from './runner.ts';

/** Interaction files as texts, for tests of the harness. */

/** What is wrong with a file; undefined if nothing is. */
export const difference = (text: string): string | undefined =>
  runCases('interaction', 'file', parseFile(text), () => 0).difference;

/** Three nodes of which 1 leads with everything applied everywhere, and nothing printed. */
export const THREE = `log-level none
----
ok

add-nodes 3 voters=(1,2,3) index=10
----
ok

campaign 1
----
ok

stabilize
----
ok

log-level debug
----
ok

`;

export function expectPass(text: string): void {
  expect(difference(text)).toBeUndefined();
}
