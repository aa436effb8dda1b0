import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Patch, patched } from '@flotilla/testkit/internal';
import { parseAst } from 'vitest/node';
import { root } from './suites.ts';

/**
 * The texts of the changed files, by their absolute paths. Throws unless every patch fits and leaves a program: one
 * that does not load would fail every test, and no test would deserve the praise.
 */
export function patchedTexts(patches: readonly Patch[]): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const patch of patches) {
    const path = join(root, patch.file);
    texts[path] = patched(texts[path] ?? readFileSync(path, 'utf8'), patch);
  }
  for (const text of Object.values(texts)) parseAst(text, { lang: 'ts' });
  return texts;
}
