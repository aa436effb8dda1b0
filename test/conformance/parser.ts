/**
 * Reads data-driven test files: a directive line, an optional input block, `----`, and the expected output up
 * to the first blank line. Nothing here knows what the commands mean.
 */

export interface Argument {
  readonly key: string;
  /** Empty for a bare word, one empty text for `key=`. */
  readonly values: readonly string[];
}

export interface TestCase {
  /** 1-based line of the directive. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: string;
  /** 0-based lines of the expected block, the closing blank line not included. */
  readonly expectedFrom: number;
  readonly expectedTo: number;
}

/** The file does not follow the grammar, or a command was called in a way that it does not know. */
export class MalformedError extends Error {}

const SEPARATOR = '----';

export function parseFile(text: string): TestCase[] {
  const lines = text.split(/\r?\n/);
  if (lines[lines.length - 1] === '') lines.pop();
  const cases: TestCase[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = at + 1;
    let directive = (lines[at++] as string).trim();
    if (directive.startsWith('#')) continue;
    while (directive.endsWith('\\') && at < lines.length) {
      directive = `${directive.slice(0, -1)} ${(lines[at++] as string).trim()}`;
    }
    directive = directive.trim();
    if (directive === '') continue;
    const input: string[] = [];
    while (at < lines.length && lines[at] !== SEPARATOR) input.push(lines[at++] as string);
    if (at === lines.length) throw new MalformedError(`line ${line}: no ${SEPARATOR} after the directive`);
    at++;
    const expectedFrom = at;
    const block = lines[at] === SEPARATOR ? doubleBlock(lines, at + 1) : simpleBlock(lines, at);
    const expectedTo = block.end;
    at = block.next;
    const { command, args } = parseDirective(directive);
    const expected = block.text;
    cases.push({ line, command, args, input: input.join('\n').trim(), expected, expectedFrom, expectedTo });
  }
  return cases;
}

interface Block {
  readonly text: string;
  readonly end: number;
  readonly next: number;
}

function simpleBlock(lines: readonly string[], begin: number): Block {
  let text = '';
  let at = begin;
  for (; at < lines.length; at++) {
    const line = lines[at] as string;
    if (line.trim() === '') return { text, end: at, next: at + 1 };
    text += `${line}\n`;
  }
  return { text, end: at, next: at };
}

/** Between doubled separators blank lines may be expected too. */
function doubleBlock(lines: readonly string[], begin: number): Block {
  let text = '';
  for (let at = begin; at < lines.length; at++) {
    if (lines[at] === SEPARATOR && lines[at + 1] === SEPARATOR) {
      const after = lines[at + 2];
      if (after !== undefined && after.trim() !== '') {
        throw new MalformedError(`line ${at + 3}: a blank line has to follow a double separator`);
      }
      return { text, end: at + 2, next: at + 3 };
    }
    text += `${lines[at]}\n`;
  }
  throw new MalformedError(`line ${begin}: the double separator is not closed`);
}

function parseDirective(text: string): { command: string; args: Argument[] } {
  const space = text.search(/\s/);
  if (space < 0) return { command: text, args: [] };
  const args: Argument[] = [];
  let at = space;
  const skipSpace = (): void => {
    while (at < text.length && /\s/.test(text[at] as string)) at++;
  };
  for (skipSpace(); at < text.length; skipSpace()) {
    const keyBegin = at;
    while (at < text.length && text[at] !== '=' && !/\s/.test(text[at] as string)) at++;
    const key = text.slice(keyBegin, at);
    if (text[at] !== '=') {
      args.push({ key, values: [] });
      continue;
    }
    at++;
    if (text[at] === '(') {
      const list = parseList(text, at + 1);
      args.push({ key, values: list.values });
      at = list.next;
    } else {
      const begin = at;
      while (at < text.length && !/\s/.test(text[at] as string)) at++;
      args.push({ key, values: [text.slice(begin, at)] });
    }
  }
  return { command: text.slice(0, space), args };
}

function parseList(text: string, begin: number): { values: string[]; next: number } {
  const values: string[] = [];
  let depth = 0;
  let value = '';
  for (let at = begin; at < text.length; at++) {
    const char = text[at] as string;
    if (char === ')' && depth === 0) {
      values.push(value);
      return { values, next: at + 1 };
    }
    if (char === ',' && depth === 0) {
      values.push(value);
      value = '';
      while (text[at + 1] === ' ') at++;
      continue;
    }
    if (char === '(') depth++;
    if (char === ')') depth--;
    value += char;
  }
  throw new MalformedError(`unbalanced parentheses in: ${text}`);
}

// ---- values

export function integer(text: string | undefined): number {
  if (text === undefined || !/^[+-]?[0-9]+$/.test(text)) throw new MalformedError(`not an integer: ${text}`);
  const value = Number.parseInt(text, 10);
  if (!Number.isSafeInteger(value)) throw new MalformedError(`too large: ${text}`);
  return value;
}

export function boolean(text: string | undefined): boolean {
  if (text !== undefined && ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (text !== undefined && ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw new MalformedError(`not a boolean: ${text}`);
}

/** The only value of `key=value`. */
export function single(argument: Argument): string {
  if (argument.values.length !== 1) throw new MalformedError(`${argument.key} takes one value`);
  return argument.values[0] as string;
}
