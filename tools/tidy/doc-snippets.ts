import type { Violation } from './violation.ts';

/** The TypeScript blocks of a document, with the line at which each begins. */
export function snippetsOf(text: string): readonly { readonly line: number; readonly code: string }[] {
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    code: match[1] as string,
  }));
}

/** What a document shows stands word for word in a test, where it is compiled and run. */
export function checkSnippets(
  document: string,
  text: string,
  tests: readonly string[],
): readonly Violation[] {
  return snippetsOf(text)
    .filter(({ code }) => !tests.some((test) => test.includes(code)))
    .map(({ line }) => ({
      file: document,
      line,
      rule: 'the snippet stands in no test of examples/',
      advice: 'Copy it to a test there word for word, so that it is run',
    }));
}
