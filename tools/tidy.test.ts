// A test of the code base itself: the layer table and the house rules, checked on every file of the repository.
// The rules are in tools/tidy; each of them is shown to fail on a bad example in the tests beside it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkReferences } from './tidy/doc-references.ts';
import { checkSnippets } from './tidy/doc-snippets.ts';
import { layers } from './tidy/layers.ts';
import {
  checkExports,
  checkLayer,
  checkLockfile,
  checkMarkers,
  checkPureSettings,
  checkVersions,
  type Manifest,
} from './tidy/repository-rules.ts';
import { checkImports, checkPurity, checkStyle, type SourceFile, sourceFile } from './tidy/source-rules.ts';
import { describeViolation, type Violation } from './tidy/violation.ts';

const root = join(import.meta.dirname, '..');

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

const generated = new Set(['.git', '.flotilla', 'node_modules', 'dist', 'coverage']);

/** Everything that is or could be committed; it does not ask git, since an archive of the sources has none. */
function filesIn(directory: string): readonly string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    if (generated.has(entry.name)) return [];
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

const files = filesIn('');

const directories = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'package.json')),
);

const manifests: ReadonlyMap<string, Manifest> = new Map(
  directories.map((name) => [name, JSON.parse(read(`packages/${name}/package.json`)) as Manifest]),
);

const sources: readonly SourceFile[] = files
  .filter((path) => /\.(?:ts|mts|js|mjs)$/.test(path))
  .map((path) => sourceFile(path, read(path)));

function expectNone(violations: readonly Violation[]): void {
  expect(violations.map(describeViolation)).toEqual([]);
}

/** A compiler configuration without its comments: only whole lines are comments in this repository. */
function readSettings(path: string): { readonly extends?: string } {
  return JSON.parse(read(path).replace(/^\s*\/\/.*$/gm, '')) as { readonly extends?: string };
}

test('the checks see the repository', () => {
  expect(directories.length).toBeGreaterThan(10);
  expect(sources.map((file) => file.path)).toContain('tools/tidy.test.ts');
});

test('every dependency of a package is named by its row in the layer table', () => {
  expectNone([...manifests].flatMap(([name, manifest]) => checkLayer(name, manifest)));
});

test('every package offers its sources and its compiled code', () => {
  expectNone([...manifests].flatMap(([name, manifest]) => checkExports(name, manifest)));
});

test('every import is named by the row of its package', () => {
  expectNone(
    sources.flatMap((file) => {
      const owner = manifests.get(file.path.split('/')[1] ?? '');
      return checkImports(file, Object.keys(owner?.devDependencies ?? {}));
    }),
  );
});

test('pure packages use no clock, chance, timers, promises or globals of the machine', () => {
  expectNone(sources.flatMap(checkPurity));
});

test('pure packages are compiled without the types of Node', () => {
  const pure = directories
    .filter((name) => layers[name]?.pure)
    .map((name) => `packages/${name}/tsconfig.json`)
    .concat('packages/client/tsconfig.core.json');
  expectNone(pure.flatMap((path) => checkPureSettings(path, readSettings(path))));
});

test('sources keep to the house style', () => {
  expectNone(sources.flatMap(checkStyle));
});

test('every version is exact', () => {
  expectNone(
    files
      .filter((path) => /(?:^|\/)package\.json$/.test(path))
      .flatMap((path) => checkVersions(path, JSON.parse(read(path)) as Manifest)),
  );
});

test('the lockfile installs from any registry', () => {
  expectNone(checkLockfile('pnpm-lock.yaml', read('pnpm-lock.yaml')));
});

test('no file holds markers for work that is left', () => {
  const written = files.filter((path) => /\.(?:ts|mts|js|mjs|json|md|yaml|yml|sh|html|css)$/.test(path));
  expectNone(
    written.filter((path) => path !== 'pnpm-lock.yaml').flatMap((path) => checkMarkers(path, read(path))),
  );
});

test('every file, function and test title that the documents on proof name is there', () => {
  const sourceOf = (path: string): string | undefined => (files.includes(path) ? read(path) : undefined);
  for (const document of ['docs/testing.md', 'docs/invariants.md', 'docs/limits.md']) {
    expectNone(checkReferences(document, read(document), directories, sourceOf));
  }
});

test('every snippet of the guides to the simulator is run as it stands there', () => {
  const tests = files.filter((path) => /^examples\/.*\.test\.ts$/.test(path)).map(read);
  for (const document of ['docs/simulating.md', 'packages/testkit/README.md']) {
    expectNone(checkSnippets(document, read(document), tests));
  }
});

test('the table of the rules of Raft is long, and nobody emptied it', () => {
  const text = read('docs/testing.md');
  const table = text.slice(text.indexOf('## The rules of Raft'), text.indexOf('## What the mutants break'));
  expect((table.match(/`raft\/[\w-]+\.test\.ts` "/g) ?? []).length).toBeGreaterThan(150);
});
