// Rules about one source file. Each rule is a function from a file to violations, so that each can be shown to fail.
import { folders, type LayerRow, layers, nodePackages, testTools } from './layers.ts';
import { type ImportOf, importsOf, lineAt, type Scanned, scan } from './scan.ts';
import type { Violation } from './violation.ts';

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly scanned: Scanned;
}

export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, scanned: scan(text) };
}

export const fileLinesMax = 600;

export function isTest(path: string): boolean {
  return (
    /\.(?:test|bench)\.ts$/.test(path) ||
    /^packages\/[^/]+\/contract\//.test(path) ||
    path.startsWith('test/')
  );
}

function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\//.exec(path)?.[1];
}

/** The row that governs a file: that of its folder, else that of its package. */
function rowOf(path: string): LayerRow | undefined {
  for (const [folder, row] of Object.entries(folders)) {
    if (path.startsWith(`packages/${folder}/`)) return row;
  }
  return layers[packageOf(path) ?? ''];
}

/** `@flotilla/base/testing` gives `@flotilla/base`, `ws/wrapper.mjs` gives `ws`. */
function packagePart(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function relativeImport(file: SourceFile, { specifier, line }: ImportOf): Violation | undefined {
  const resolved = new URL(specifier, `file:///${file.path}`).pathname.slice(1);
  const owner = packageOf(file.path);
  if (owner !== undefined && !resolved.startsWith(`packages/${owner}/`)) {
    const rule = `${specifier} reaches into another package`;
    return {
      file: file.path,
      line,
      rule,
      advice: 'Import @flotilla/<package> and let its index.ts export the name',
    };
  }
  if (/\.(?:ts|mjs|json)$/.test(specifier)) return undefined;
  return {
    file: file.path,
    line,
    rule: `${specifier} has no .ts`,
    advice: `Write ${specifier.replace(/\.js$/, '')}.ts`,
  };
}

function nodeImport(file: SourceFile, { specifier, line }: ImportOf): Violation | undefined {
  const owner = packageOf(file.path);
  if (owner === undefined || isTest(file.path) || nodePackages.includes(owner)) return undefined;
  const advice = `Define a port in packages/ports and implement it in one of ${nodePackages.join(', ')}`;
  return { file: file.path, line, rule: `${owner} imports ${specifier}`, advice };
}

function layerImport(file: SourceFile, found: ImportOf, declared: readonly string[]): Violation | undefined {
  const row = rowOf(file.path);
  const owner = packageOf(file.path);
  if (row === undefined || owner === undefined) return undefined;
  const wanted = packagePart(found.specifier);
  if (isTest(file.path) && (testTools.includes(wanted) || declared.includes(wanted))) return undefined;
  if (wanted === `@flotilla/${owner}`) {
    if (isTest(file.path)) return undefined;
    const rule = `${owner} imports itself as ${found.specifier}`;
    return { file: file.path, line: found.line, rule, advice: 'Import the file by its relative path' };
  }
  const allowed = [...row.packages.map((name) => `@flotilla/${name}`), ...row.externals];
  if (allowed.includes(wanted)) return undefined;
  const rule = `${owner} may not import ${wanted}`;
  const advice =
    `It may use ${allowed.join(', ') || 'nothing'} (tools/tidy/layers.ts). Move the code to a package that may, ` +
    'or hand the value in through a port';
  return { file: file.path, line: found.line, rule, advice };
}

/** A package imports only what its row of the layer table names. `declared`: its development dependencies. */
export function checkImports(file: SourceFile, declared: readonly string[] = []): readonly Violation[] {
  return importsOf(file.scanned)
    .map((found) => {
      if (found.specifier.startsWith('.')) return relativeImport(file, found);
      if (found.specifier.startsWith('node:')) return nodeImport(file, found);
      return layerImport(file, found, declared);
    })
    .filter((violation) => violation !== undefined);
}

interface Ban {
  readonly pattern: RegExp;
  readonly rule: string;
  readonly advice: string;
}

/** Reports every match in the code, outside of comments and strings. */
function findBans(file: SourceFile, bans: readonly Ban[]): readonly Violation[] {
  return bans.flatMap(({ pattern, rule, advice }) =>
    [...file.scanned.codeOnly.matchAll(new RegExp(pattern, 'g'))].map((match) => ({
      file: file.path,
      line: lineAt(file.scanned.codeOnly, match.index),
      rule,
      advice,
    })),
  );
}

const impure: readonly Ban[] = [
  {
    pattern: /(?<![\w$.])(?:Date\s*\.\s*now\b|new\s+Date\b|performance\s*\.\s*now\b)/,
    rule: 'a pure package reads the clock of the machine',
    advice: 'Take `now` as an argument or use the Clock port, so that a simulation can replay it',
  },
  {
    pattern: /(?<![\w$.])Math\s*\.\s*random\b/,
    rule: 'a pure package draws an unseeded random number',
    advice: 'Take the seeded Random as an argument, so that a seed reproduces the run',
  },
  {
    pattern: /(?<![\w$.])(?:setTimeout|setInterval|setImmediate|queueMicrotask|clearTimeout|clearInterval)\b/,
    rule: 'a pure package uses a timer of the machine',
    advice: 'Count ticks, or use the Timers port',
  },
  {
    pattern: /(?<![\w$.#])(?:async\b(?=\s*(?:function\b|\(|\*|[\w$#[]))|await\b)(?!\s*[:=])/,
    rule: 'a pure package has asynchronous code',
    advice: 'Return the work as data, or take a callback that the host calls when it is done',
  },
  {
    pattern: /(?<![\w$.])globalThis\b/,
    rule: 'a pure package reaches for the globals of the machine',
    advice: 'Take what it needs as an argument; for messages use the LogSink port',
  },
];

/** Layers 0 and 1, `host`, `store` and the core of the client run the same way under a seed every time. */
export function checkPurity(file: SourceFile): readonly Violation[] {
  if (rowOf(file.path)?.pure !== true || isTest(file.path)) return [];
  return findBans(file, impure);
}

const everywhere: readonly Ban[] = [
  {
    pattern: /(?<![\w$.])export\s+(?:default\b|\{[^}]*\bas\s+default\b)/,
    rule: 'a default export',
    advice: 'Export by name, so that the same thing has one name everywhere',
  },
  {
    pattern: /(?<![\w$.])(?:const\s+)?enum\s+[A-Za-z_$]/,
    rule: 'an enum',
    advice: 'Use a union of string literals, or a const object with `as const`',
  },
];

const inTests: readonly Ban[] = [
  {
    pattern: /(?<![\w$.])(?:test|it|describe|bench|suite)(?:\s*\.\s*\w+)*?\s*\.\s*only\b/,
    rule: 'a test that keeps all others from running',
    advice: 'Remove `.only`; to run one test use `npm test -- -t TITLE`',
  },
  {
    pattern: /(?<![\w$.])(?:test|it|describe|bench|suite)(?:\s*\.\s*\w+)*?\s*\.\s*(?:skip|todo)\b(?!If)/,
    rule: 'a test that never runs',
    advice: 'Repair the test or delete it; for a platform that lacks something use `.skipIf(condition)`',
  },
];

export function checkStyle(file: SourceFile): readonly Violation[] {
  const configuration = /(?:^|\/)[\w.-]+\.config\.ts$/.test(file.path);
  const bans = configuration ? everywhere.slice(1) : everywhere;
  const found = [...findBans(file, bans), ...(isTest(file.path) ? findBans(file, inTests) : [])];
  const lines = file.text.split('\n').length - (file.text.endsWith('\n') ? 1 : 0);
  if (lines <= fileLinesMax) return found;
  const rule = `${lines} lines, more than ${fileLinesMax}`;
  return [...found, { file: file.path, rule, advice: 'Split it: one idea for each file' }];
}
