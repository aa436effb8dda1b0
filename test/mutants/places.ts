import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAst } from 'vitest/node';
import { changesOf, type SyntaxNode, skipped } from './operators.ts';
import { root } from './suites.ts';

/** A place of the core where one thing can be changed without looking at what it means. */
export interface Place {
  /** From the root. */
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  /** Says where and what, in words that outlive changes elsewhere in the file. Unique. */
  readonly name: string;
}

const FOLDER = 'packages/raft/src';

/** What is only said, or is part of the tests. */
const NOT_THE_CORE: readonly string[] = [
  'describe.ts',
  'index.ts',
  'logger.ts',
  'memory-storage.ts',
  'status.ts',
  'test-cluster.ts',
  'testing.ts',
];

export function allPlaces(): readonly Place[] {
  return readdirSync(join(root, FOLDER))
    .filter((name) => /^[a-z-]+\.ts$/.test(name) && !NOT_THE_CORE.includes(name))
    .sort()
    .flatMap((name) => placesOf(`${FOLDER}/${name}`, readFileSync(join(root, FOLDER, name), 'utf8')));
}

export function placesOf(file: string, text: string): readonly Place[] {
  const found: Place[] = [];
  const seen = new Map<string, number>();
  const short = (source: string): string => {
    const line = source.replaceAll(/\s+/g, ' ');
    return line.length <= 70 ? line : `${line.slice(0, 40)} … ${line.slice(-25)}`;
  };
  const visit = (node: SyntaxNode, around: readonly SyntaxNode[]): void => {
    if (skipped(node, text)) return;
    for (const { start, end, replacement, words } of changesOf(node, around, text)) {
      const plain = `${file.slice(FOLDER.length + 1)} ${functionName(around)}: ${short(text.slice(start, end))} ${words}`;
      const times = (seen.get(plain) ?? 0) + 1;
      seen.set(plain, times);
      found.push({ file, start, end, replacement, name: times === 1 ? plain : `${plain} (${times})` });
    }
    for (const child of childrenOf(node)) visit(child, [...around, node]);
  };
  visit(parseAst(text, { lang: 'ts' }) as unknown as SyntaxNode, []);
  return found;
}

/** Depends on each place alone: a change of the source elsewhere leaves the choice as it is, or nearly so. */
export function choose(places: readonly Place[], seed: number, count: number): readonly Place[] {
  const drawn = places.map((place) => ({
    place,
    lot: createHash('sha256').update(`${seed} ${place.name}`).digest('hex'),
  }));
  drawn.sort((left, right) => (left.lot < right.lot ? -1 : 1));
  return drawn.slice(0, count).map(({ place }) => place);
}

export function mutated(text: string, { start, end, replacement }: Place): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

function* childrenOf(node: SyntaxNode): Iterable<SyntaxNode> {
  for (const value of Object.values(node)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one === 'object' && one !== null && typeof one.type === 'string') yield one;
    }
  }
}

function functionName(around: readonly SyntaxNode[]): string {
  const names = around.flatMap(({ type, id, key }) => {
    if (type === 'FunctionDeclaration' || type === 'ClassDeclaration') return [id?.name ?? ''];
    if (type === 'MethodDefinition')
      return [`${key?.type === 'PrivateIdentifier' ? '#' : ''}${key?.name ?? ''}`];
    return [];
  });
  return names.join('.');
}
