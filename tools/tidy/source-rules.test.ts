import { describe, expect, test } from 'vitest';
import { checkImports, checkPurity, checkStyle, fileLinesMax, sourceFile } from './source-rules.ts';

const imports = (path: string, text: string, declared: readonly string[] = []) =>
  checkImports(sourceFile(path, text), declared).map((found) => found.rule);
const purity = (path: string, text: string) =>
  checkPurity(sourceFile(path, text)).map((found) => `${found.line} ${found.rule}`);
const style = (path: string, text: string) => checkStyle(sourceFile(path, text)).map((found) => found.rule);

describe('imports', () => {
  test('a package below may not know a package above', () => {
    const text = "import type { Host } from '@flotilla/host';";
    expect(imports('packages/raft/src/core.ts', text)).toEqual(['raft may not import @flotilla/host']);
    expect(imports('packages/store/src/store.ts', text)).toEqual([]);
  });

  test('a pure package may not use Node', () => {
    const text = "import { open } from 'node:fs';";
    expect(imports('packages/kv/src/a.ts', text)).toEqual(['kv imports node:fs']);
    expect(imports('packages/client/src/connect.ts', text)).toEqual(['client imports node:fs']);
    expect(imports('packages/storage/src/a.ts', text)).toEqual([]);
    expect(imports('packages/kv/src/a.test.ts', text)).toEqual([]);
  });

  test('a module of Node is written with node:', () => {
    expect(imports('packages/storage/src/a.ts', "import { open } from 'fs';")).toEqual([
      'storage may not import fs',
    ]);
  });

  test('a package from outside must be named by the row', () => {
    expect(imports('packages/transport/src/a.ts', "import { open } from 'lmdb';")).toEqual([
      'transport may not import lmdb',
    ]);
    expect(imports('packages/storage/src/a.ts', "import { open } from 'lmdb';")).toEqual([]);
  });

  test('only the facade of the client knows a transport', () => {
    const text = "import { connect } from '@flotilla/transport';";
    expect(imports('packages/client/src/connect.ts', text)).toEqual([]);
    expect(imports('packages/client/src/core/routing.ts', text)).toEqual([
      'client may not import @flotilla/transport',
    ]);
  });

  test('test tools belong to tests', () => {
    const text = "import { test } from 'vitest';";
    expect(imports('packages/raft/src/a.ts', text)).toEqual(['raft may not import vitest']);
    expect(imports('packages/raft/src/a.test.ts', text)).toEqual([]);
    expect(imports('packages/ports/contract/log-store.ts', text)).toEqual([]);
  });

  test('a test may use the declared development dependencies of its package, other code may not', () => {
    const text = "import { Cluster } from '@flotilla/testkit';";
    const declared = ['@flotilla/testkit'];
    expect(imports('packages/host/src/a.sim.test.ts', text)).toEqual([
      'host may not import @flotilla/testkit',
    ]);
    expect(imports('packages/host/src/a.sim.test.ts', text, declared)).toEqual([]);
    expect(imports('packages/host/src/a.ts', text, declared)).toEqual([
      'host may not import @flotilla/testkit',
    ]);
  });

  test('a relative import stays in its package and ends with .ts', () => {
    expect(imports('packages/kv/src/a.ts', "import { b } from '../../base/src/b.ts';")).toEqual([
      '../../base/src/b.ts reaches into another package',
    ]);
    expect(imports('packages/kv/src/a.ts', "import { b } from './b.js';")).toEqual(['./b.js has no .ts']);
    expect(imports('packages/kv/src/a.ts', "import { b } from './b/c.ts';")).toEqual([]);
  });

  test('a package does not import itself by name', () => {
    const text = "import { assert } from '@flotilla/base';";
    expect(imports('packages/base/src/a.ts', text)).toEqual(['base imports itself as @flotilla/base']);
    expect(imports('packages/base/src/a.test.ts', text)).toEqual([]);
  });
});

describe('purity', () => {
  const path = 'packages/raft/src/a.ts';

  test.for([
    ['const now = Date.now();', 'clock'],
    ['const now = new Date();', 'clock'],
    ['const chance = Math.random();', 'random'],
    ['setTimeout(f, 1);', 'timer'],
    ['queueMicrotask(f);', 'timer'],
    ['async function f() {}', 'asynchronous'],
    ['const f = async () => 1;', 'asynchronous'],
    ['class A { async *f() {} }', 'asynchronous'],
    ['const a = await b;', 'asynchronous'],
    ['for await (const a of b) c;', 'asynchronous'],
    ['globalThis.x = 1;', 'globals'],
  ] as const)('%s is found', ([text, word]) => {
    expect(purity(path, `\n${text}`)[0]).toMatch(new RegExp(`^2 .*${word}`));
  });

  test('words in comments, strings, names and members are not found', () => {
    const text = [
      '// await Date.now()',
      "const a = 'await setTimeout';",
      'ports.timers.setTimeout(f);',
      'const asyncWrites = { async: true };',
      'clock.Date.now();',
    ].join('\n');
    expect(purity(path, text)).toEqual([]);
  });

  test('tests, facades and packages of the outer layers are free', () => {
    const text = 'const a = await f(Date.now());';
    expect(purity('packages/raft/src/a.test.ts', text)).toEqual([]);
    expect(purity('packages/server/src/a.ts', text)).toEqual([]);
    expect(purity('packages/client/src/connect.ts', text)).toEqual([]);
    expect(purity('packages/client/src/core/batch.ts', text)).toHaveLength(2);
    expect(purity('packages/host/src/turn.ts', text)).toHaveLength(2);
  });
});

describe('style', () => {
  const path = 'packages/kv/src/a.ts';
  const testPath = 'packages/kv/src/a.test.ts';

  test('default exports and enums are found, except the default export of a configuration', () => {
    expect(style(path, 'export default 1;')).toEqual(['a default export']);
    expect(style(path, 'export { a as default };')).toEqual(['a default export']);
    expect(style(path, 'export enum Role { Leader }')).toEqual(['an enum']);
    expect(style(path, 'const enum Role { Leader }')).toEqual(['an enum']);
    expect(style('vitest.config.ts', 'export default {};')).toEqual([]);
  });

  test('tests that run alone or not at all are found', () => {
    expect(style(testPath, "test.only('a', f);")).toEqual(['a test that keeps all others from running']);
    expect(style(testPath, "describe.concurrent.skip('a', f);")).toEqual(['a test that never runs']);
    expect(style(testPath, "it.todo('a');")).toEqual(['a test that never runs']);
    expect(style(testPath, "test.skipIf(windows)('a', f);")).toEqual([]);
    expect(style(path, 'reader.skip(4);')).toEqual([]);
  });

  test('a file at the limit passes and one line more does not', () => {
    expect(style(path, 'a;\n'.repeat(fileLinesMax))).toEqual([]);
    expect(style(path, 'a;\n'.repeat(fileLinesMax + 1))).toEqual(['601 lines, more than 600']);
  });
});
