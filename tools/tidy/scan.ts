// A scanner that knows just enough TypeScript to tell code from comments and strings. It exists because the compiler
// offers no JavaScript interface, and a pattern over raw text would trip over the word `async` in every comment.
//
// It reads characters with a stack of contexts: a template literal may hold code, which may hold a template literal.
// A slash starts a regular expression unless the token before it can end an expression.

export interface Scanned {
  /** The text with comments blanked; strings are kept, so that import specifiers can be read. */
  readonly withStrings: string;
  /** The text with comments and the contents of strings, templates and regular expressions blanked. */
  readonly codeOnly: string;
}

const endsExpression = /[\w$)\]}'"`]$/;
const keywordBeforeExpression =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield)$/;

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}

function startsRegularExpression(before: string): boolean {
  const trimmed = before.trimEnd();
  if (trimmed === '') return true;
  return !endsExpression.test(trimmed) || keywordBeforeExpression.test(trimmed.slice(-12));
}

/** The index after the quoted text that starts at `start`; a string ends at the latest with its line. */
function endOfString(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at + 1;
    else if (text[at] === '\n') return at;
  }
  return text.length;
}

function endOfRegularExpression(text: string, start: number): number {
  let inClass = false;
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '\n') return at;
    else if (char === '/' && !inClass) return at + 1;
  }
  return text.length;
}

/** The index after the template text that starts at `start`: behind the closing backtick or behind `${`. */
function endOfTemplateText(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '`') return at + 1;
    else if (text[at] === '$' && text[at + 1] === '{') return at + 2;
  }
  return text.length;
}

function endOfComment(text: string, start: number): number {
  const end = text[start + 1] === '/' ? text.indexOf('\n', start) : text.indexOf('*/', start + 2);
  if (end === -1) return text.length;
  return text[start + 1] === '/' ? end : end + 2;
}

export function scan(text: string): Scanned {
  let withStrings = '';
  let codeOnly = '';
  /** One entry per open `${`: the depth of braces inside of it. */
  const templates: number[] = [];
  let at = 0;

  const copy = (end: number): void => {
    withStrings += text.slice(at, end);
    codeOnly += text.slice(at, end);
    at = end;
  };
  const quoted = (end: number): void => {
    const inner = text.slice(at, end);
    withStrings += inner;
    codeOnly += inner.length < 2 ? inner : inner[0] + blank(inner.slice(1, -1)) + inner[inner.length - 1];
    at = end;
  };
  const templateText = (): void => {
    const end = endOfTemplateText(text, at + 1);
    if (text[end - 1] === '{') templates.push(0);
    quoted(end);
  };

  while (at < text.length) {
    const char = text[at];
    const next = text[at + 1];
    const depth = templates.at(-1);
    if (char === '/' && (next === '/' || next === '*')) {
      const end = endOfComment(text, at);
      withStrings += blank(text.slice(at, end));
      codeOnly += blank(text.slice(at, end));
      at = end;
    } else if (char === "'" || char === '"') quoted(endOfString(text, at));
    else if (char === '`') templateText();
    else if (char === '}' && depth === 0) {
      templates.pop();
      templateText();
    } else if (char === '/' && startsRegularExpression(codeOnly)) quoted(endOfRegularExpression(text, at));
    else {
      if (depth !== undefined && char === '{') templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && char === '}') templates[templates.length - 1] = depth - 1;
      copy(at + 1);
    }
  }
  return { withStrings, codeOnly };
}

export interface ImportOf {
  readonly specifier: string;
  readonly line: number;
}

const importPatterns = [
  /(?:^|[;\n])[ \t]*(?:import|export)\s[^;'"`]*?\sfrom\s*(['"])([^'"\n]+)\1/g,
  /(?:^|[;\n])[ \t]*import\s*(['"])([^'"\n]+)\1/g,
  /(?<![\w$.])import\s*\(\s*(['"])([^'"\n]+)\1/g,
];

export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < index; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Every module specifier that the file imports or re-exports, also as a type or dynamically. */
export function importsOf(scanned: Scanned): readonly ImportOf[] {
  const found: ImportOf[] = [];
  for (const pattern of importPatterns) {
    for (const match of scanned.withStrings.matchAll(pattern)) {
      const specifier = match[2] as string;
      const at = match.index + match[0].lastIndexOf(specifier);
      // An import that is only quoted inside a string or a template is text, not code.
      const keyword = match.index + match[0].search(/import|export/);
      if (scanned.codeOnly[keyword] === ' ') continue;
      found.push({ specifier, line: lineAt(scanned.withStrings, at) });
    }
  }
  return found.sort((left, right) => left.line - right.line);
}
