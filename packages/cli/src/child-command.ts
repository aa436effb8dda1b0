import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * How this program starts itself again: from sources with the export condition, compiled without. The two
 * never mix, because both find their files beside this one.
 */

const here = fileURLToPath(import.meta.url);
const fromSources = extname(here) === '.ts';

export interface Invocation {
  readonly file: string;
  readonly args: readonly string[];
}

export function nodeInvocation(script: string, args: readonly string[]): Invocation {
  const conditions = fromSources ? ['--conditions=flotilla-source'] : [];
  return { file: process.execPath, args: [...conditions, script, ...args] };
}

/**
 * A store lives on short-lived buffers: with more room for the young, the collector hardly has to run. Without the
 * second flag V8 marks the whole heap after every 64 MiB of buffers, however many are free again; the third keeps
 * marking from taking every core.
 */
const storeFlags = [
  '--max-semi-space-size=64',
  '--external-memory-accounted-in-global-limit',
  '--concurrent-marking-max-worker-num=1',
];

export function ownInvocation(args: readonly string[]): Invocation {
  const invocation = nodeInvocation(join(here, '..', fromSources ? 'main.ts' : 'main.js'), args);
  return args[0] === 'store' ? { ...invocation, args: [...storeFlags, ...invocation.args] } : invocation;
}

/** The invocation as a line that a shell understands. */
export function shellLine({ file, args }: Invocation): string {
  return [file, ...args].map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
