import { expect, test } from 'vitest';
import {
  checkExports,
  checkLayer,
  checkLockfile,
  checkMarkers,
  checkPureSettings,
  checkVersions,
} from './repository-rules.ts';
import { describeViolation } from './violation.ts';

test('a range, a tag and a workspace package with a version are not exact', () => {
  const rules = checkVersions('package.json', {
    dependencies: {
      ws: '^8.23.0',
      lmdb: '3.5.6',
      '@flotilla/base': '0.1.0',
      '@flotilla/raft': 'workspace:*',
    },
    devDependencies: { vitest: 'latest', '@types/node': '24.19.2' },
    peerDependencies: { zod: '4.x' },
  }).map((found) => found.rule);
  expect(rules).toEqual([
    'dependencies has ws ^8.23.0',
    'dependencies has @flotilla/base 0.1.0',
    'devDependencies has vitest latest',
    'peerDependencies has zod 4.x',
  ]);
});

test('a dependency outside of the row is refused, with the row as advice', () => {
  const [found] = checkLayer('raft', {
    name: '@flotilla/raft',
    dependencies: { '@flotilla/base': 'workspace:*', ws: '8.23.0' },
  });
  expect(found && describeViolation(found)).toBe(
    'packages/raft/package.json: raft may not depend on ws. It may use @flotilla/base (tools/tidy/layers.ts)',
  );
});

test('a package without a row and a package with another name are refused', () => {
  expect(checkLayer('gossip', { name: '@flotilla/gossip' })).toHaveLength(1);
  expect(checkLayer('raft', { name: '@flotilla/paxos' })).toHaveLength(1);
  expect(checkLayer('raft', { name: '@flotilla/raft' })).toEqual([]);
});

test('an entry of exports needs its source first, then its types, then its code', () => {
  const good = {
    'flotilla-source': './src/index.ts',
    types: './dist/index.d.ts',
    default: './dist/index.js',
  };
  expect(checkExports('raft', { exports: { '.': good, './testing': good } })).toEqual([]);
  expect(checkExports('raft', {})).toHaveLength(1);
  expect(checkExports('raft', { exports: { '.': { default: './dist/index.js' } } })).toHaveLength(1);
  const typesTooLate = {
    'flotilla-source': './src/index.ts',
    default: './dist/index.js',
    types: './dist/index.d.ts',
  };
  expect(checkExports('raft', { exports: { '.': typesTooLate } })).toHaveLength(1);
});

test('a pure package may not choose its own libraries or types', () => {
  const base = '../../tsconfig.pure.json';
  expect(checkPureSettings('tsconfig.json', { extends: base })).toEqual([]);
  expect(checkPureSettings('tsconfig.json', { extends: '../../tsconfig.node.json' })).toHaveLength(1);
  expect(
    checkPureSettings('tsconfig.json', { extends: base, compilerOptions: { types: ['node'] } }),
  ).toHaveLength(1);
  expect(
    checkPureSettings('tsconfig.json', { extends: base, compilerOptions: { lib: ['dom'] } }),
  ).toHaveLength(1);
});

test('an address or a tarball in the lockfile is found', () => {
  expect(checkLockfile('pnpm-lock.yaml', 'a: 1\nb: {tarball: x}\n')[0]?.line).toBe(2);
  expect(checkLockfile('pnpm-lock.yaml', 'resolution: https://example.org/a')).toHaveLength(1);
  expect(checkLockfile('pnpm-lock.yaml', 'resolution: {integrity: sha512-abc}')).toEqual([]);
});

test('markers for work that is left are found as words, not inside of words', () => {
  expect(checkMarkers('a.ts', `// ${'TO'}DO: later`)).toHaveLength(1);
  expect(checkMarkers('a.md', `ok\n${'FIX'}ME`)[0]?.line).toBe(2);
  expect(checkMarkers('a.ts', 'const mastodon = HACKNEY;')).toEqual([]);
});
