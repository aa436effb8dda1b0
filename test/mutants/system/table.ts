import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../suites.ts';

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

export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ name, rule, checker, seed, tried }) => {
    return [`\`${name}\``, rule, checker, String(seed), String(tried)];
  });
  const widths = HEADS.map((head, at) => Math.max(head.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const lineOf = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [
    lineOf(HEADS),
    `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`,
    ...cells.map(lineOf),
  ].join('\n');
}

/** The text of the documentation in three parts, of which the second is the table. */
function parts(): readonly [string, string, string] {
  const text = readFileSync(file, 'utf8');
  const begin = text.indexOf('\n| ', text.indexOf(`\n${HEADING}\n`)) + 1;
  const end = text.indexOf('\n\n', begin);
  return [text.slice(0, begin), text.slice(begin, end), text.slice(end)];
}

/** The cells of the table in the documentation, without its head. */
export function writtenRows(): readonly (readonly string[])[] {
  return parts()[1]
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, -1),
    );
}

export function writeTable(rows: readonly Row[]): void {
  const [before, , after] = parts();
  writeFileSync(file, `${before}${tableOf(rows)}${after}`);
}
