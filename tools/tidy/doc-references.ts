import type { Violation } from './violation.ts';

/**
 * Documents name tests by file and title, and code by file and function:
 *
 *     `raft/log.ts`: `maybeCommit`          `raft/log.test.ts` "only an entry of the given term…"
 *
 * In a title `…` stands for any words. Both are checked here, so that a renamed test does not leave a rule
 * that only seems to be guarded.
 */

/** Full path of a file that documents name in short; undefined for what is no path. */
export function fullPath(short: string, packages: readonly string[]): string | undefined {
  const [first = '', ...rest] = short.split('/');
  if (first === 'test' || first === 'tools' || first === 'packages') return short;
  if (!packages.includes(first) || rest.length === 0) return undefined;
  const inSources = rest[0] !== 'contract';
  return `packages/${first}/${inSources ? 'src/' : ''}${rest.join('/')}`;
}

/** A file with what is named in it, a title, or the end of what is said of a file. */
const TOKEN = /`([\w./-]+\.ts)`(?:: (`[\w.]+`(?:, `[\w.]+`)*))?|"([^"]+)"| \| |; |\. /g;

/** Checks every reference of one document. `sourceOf` answers the text of a file, undefined if there is none. */
export function checkReferences(
  document: string,
  text: string,
  packages: readonly string[],
  sourceOf: (path: string) => string | undefined,
): readonly Violation[] {
  const found: Violation[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    const wrong = (rule: string): void => {
      found.push({ file: document, line: at + 1, rule, advice: 'name what is there, or restore it' });
    };
    let path: string | undefined;
    for (const [, file, names, title] of line.matchAll(TOKEN)) {
      if (title === undefined) path = file === undefined ? undefined : fullPath(file, packages);
      if (path === undefined) continue;
      const source = sourceOf(path);
      if (source === undefined) {
        if (title === undefined) wrong(`there is no ${path}`);
      } else if (title === undefined) {
        for (const name of namesIn(names)) {
          if (!new RegExp(`\\b${name}\\b`).test(source)) wrong(`${path} has no ${name}`);
        }
      } else if (isTest(path) && !hasTitle(source, title)) {
        wrong(`${path} has no "${title}"`);
      }
    }
  }
  return found;
}

function namesIn(list: string | undefined): readonly string[] {
  // Of `Class.member` the member is what may be renamed.
  return list?.split(', ').map((name) => name.slice(1, -1).split('.').at(-1) as string) ?? [];
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/contract/');
}

/** True if a string literal of the source is the title. */
function hasTitle(source: string, title: string): boolean {
  const words = title
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll("'", "\\\\?'"));
  return new RegExp(`(['"\`])${words.join('[^\\n]*')}\\1`).test(source);
}
