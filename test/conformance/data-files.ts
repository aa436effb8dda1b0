import { readdirSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** Where the data files are, and which suite each of them belongs to. */

export const SUITES = ['quorum', 'confchange', 'interaction'] as const;
export type Suite = (typeof SUITES)[number];

export interface DataFile {
  readonly suite: Suite;
  /** Path below the directory that was searched. */
  readonly name: string;
  readonly path: string;
}

/** Data files, or the reason why there are none. */
export type Found =
  | { readonly files: readonly DataFile[]; readonly problem?: never }
  | { readonly files?: never; readonly problem: string };

const FOLDERS_DEPTH_MAX = 32;

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Our own files in the same form: what etcd's leave out. */
export const SCENARIOS_DIRECTORY: string = resolve(root, 'test/scenarios/raft');

/** The directory that was asked for; else that of FLOTILLA_RAFT_TESTDATA; else the one beside the checkout. */
export function dataDirectory(given: string | undefined): string {
  const wanted = given || process.env.FLOTILLA_RAFT_TESTDATA;
  return wanted ? resolve(wanted) : resolve(root, '../shared/conformance/etcd-raft');
}

/** The data files below a directory, however deep, in the order of their names. */
export function findDataFiles(directory: string): Found {
  const files: DataFile[] = [];
  try {
    if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
      return { problem: `There is no directory ${directory}.` };
    }
    collect(directory, '', 0, files);
  } catch (error) {
    return { problem: `${directory} cannot be read: ${error instanceof Error ? error.message : error}` };
  }
  if (files.length === 0) {
    return { problem: `${directory} holds no .txt file in a folder ${SUITES.join(', ')}.` };
  }
  return { files };
}

function collect(directory: string, below: string, depth: number, files: DataFile[]): void {
  if (depth > FOLDERS_DEPTH_MAX) throw new Error(`more than ${FOLDERS_DEPTH_MAX} folders in each other`);
  for (const name of readdirSync(directory).sort()) {
    const path = join(directory, name);
    const stats = statSync(path);
    if (stats.isDirectory()) {
      collect(path, join(below, name), depth + 1, files);
    } else if (name.endsWith('.txt')) {
      const suite = suiteOf(directory);
      if (suite !== undefined) files.push({ suite, name: join(below, name), path });
    }
  }
}

/** The innermost folder that is named like a suite decides. */
function suiteOf(directory: string): Suite | undefined {
  for (const folder of resolve(directory).split(sep).reverse()) {
    const suite = SUITES.find((known) => known === folder);
    if (suite !== undefined) return suite;
  }
  return undefined;
}
