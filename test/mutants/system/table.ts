import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../suites.ts';
import { sabotages } from './index.ts';

/** What came of one sabotage, as a row of the table in the documentation. */
export interface Row {
  readonly name: string;
  readonly rule: string;
  readonly checker: string;
  readonly seed: number;
  readonly tried: number;
}

const file = join(root, 'docs', 'testing.md');
const HEADING = '## What the sabotages break';
const HEADS = ['sabotage', 'rule that is left out', 'noticed by', 'seed', 'seeds tried'] as const;

type Cells = readonly string[];

function cellsOf({ name, rule, checker, seed, tried }: Row): Cells {
  return [`\`${name}\``, rule, checker, String(seed), String(tried)];
}

function textOf(rows: readonly Cells[]): string {
  const widths = HEADS.map((head, at) => Math.max(head.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const lineOf = (row: Cells): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [lineOf(HEADS), rule, ...rows.map(lineOf)].join('\n');
}

/** In the order of the list. */
export function tableOf(rows: readonly Row[]): string {
  const place = new Map(sabotages.map(({ name }, at) => [name, at]));
  const ordered = rows.toSorted((left, right) => (place.get(left.name) ?? 0) - (place.get(right.name) ?? 0));
  return textOf(ordered.map(cellsOf));
}

/** The text of the documentation in three parts, of which the second is the table. */
function parts(): readonly [string, string, string] {
  const text = readFileSync(file, 'utf8');
  const begin = text.indexOf('\n| ', text.indexOf(`\n${HEADING}\n`)) + 1;
  const end = text.indexOf('\n\n', begin);
  return [text.slice(0, begin), text.slice(begin, end), text.slice(end)];
}

/** The cells of the table in the documentation, without its head. */
export function writtenRows(): readonly Cells[] {
  const lines = parts()[1].split('\n').slice(2);
  return lines.map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}

/** Puts rows into the documentation. Those of other sabotages stay, as long as there are such. */
export function writeTable(rows: readonly Row[]): void {
  const [before, , after] = parts();
  const known = new Map(writtenRows().map((cells) => [cells[0], cells]));
  for (const row of rows) known.set(cellsOf(row)[0], cellsOf(row));
  const ordered = sabotages.flatMap(({ name }): readonly Cells[] => {
    const cells = known.get(`\`${name}\``);
    return cells === undefined ? [] : [cells];
  });
  writeFileSync(file, `${before}${textOf(ordered)}${after}`);
}
