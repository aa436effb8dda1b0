// Shows with the real compiler that tsconfig.pure.json keeps the world out of pure packages.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

const worldly = [
  'setTimeout(() => {}, 1);',
  'setInterval(() => {}, 1);',
  'queueMicrotask(() => {});',
  'process.exit();',
  'console.log(1);',
  'performance.now();',
  'new TextEncoder();',
  'new AbortController();',
  'crypto.randomUUID();',
  'Buffer.alloc(1);',
  "fetch('');",
  'globalThis.setTimeout(() => {}, 1);',
  "export * from 'node:fs';",
];

test('the compiler refuses timers, globals and modules of Node in a pure package', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-purity-'));
  try {
    const file = join(directory, 'src.ts');
    writeFileSync(
      file,
      `${worldly.join('\n')}\nexport const fine = new Map([[1, new Uint8Array(2)]]).size;\n`,
    );
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    const settings = {
      extends: join(root, 'tsconfig.pure.json'),
      compilerOptions: { rootDir: '.', outDir: 'dist', isolatedDeclarations: false },
      include: ['src.ts'],
    };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(settings));
    const failure: { stdout: string } = await promisify(execFile)(process.execPath, [
      tsc,
      '-p',
      directory,
    ]).then(
      () => ({ stdout: '' }),
      (error: { stdout: string }) => error,
    );
    const lines = [...failure.stdout.matchAll(/src\.ts[(:](\d+)/g)].map((match) => Number(match[1]));
    expect([...new Set(lines)].sort((left, right) => left - right)).toEqual(
      worldly.map((_, index) => index + 1),
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
