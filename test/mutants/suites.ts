import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The suites that have to notice, in the order in which they are asked. */

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** `host`: what guards leases there. */
export type Suite = 'raft' | 'host';

const FOLDERS: Readonly<Record<Suite, readonly string[]>> = {
  raft: ['packages/raft/src', 'test/conformance'],
  host: ['packages/host/src', 'test/host'],
};

/** They look at anything instead of one rule, or take the longest: their turn comes when nothing else noticed. */
const LAST: readonly string[] = [
  'clusters',
  'log-lines',
  'membership',
  'fuzz',
  'snapshots',
  'streams',
  'removal',
  'random',
];

/** Paths from the root. */
export function filesOf(suite: Suite): readonly string[] {
  const files = FOLDERS[suite].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.test.ts') && !/\.(io|sim)\.test\.ts$/.test(name))
      .sort()
      .map((name) => `${folder}/${name}`),
  );
  const rank = (file: string): number => LAST.findIndex((name) => file.endsWith(`/${name}.test.ts`));
  return files.toSorted((left, right) => rank(left) - rank(right));
}
