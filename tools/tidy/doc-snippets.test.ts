import { expect, test } from 'vitest';
import { checkSnippets, snippetsOf } from './doc-snippets.ts';
import { describeViolation } from './violation.ts';

const text = 'Words.\n\n```ts\none();\ntwo();\n```\n\n```sh\nthree\n```\n\n```ts\nfour();\n```\n';

test('the TypeScript blocks of a document are found, and no others', () => {
  expect(snippetsOf(text)).toEqual([
    { line: 3, code: 'one();\ntwo();\n' },
    { line: 12, code: 'four();\n' },
  ]);
});

test('a snippet that no test runs word for word is reported', () => {
  expect(checkSnippets('d.md', text, ['zero();\none();\ntwo();\n', 'four();\n'])).toEqual([]);
  const found = checkSnippets('d.md', text, ['one();\n  two();\n', 'four();\n']);
  expect(found.map(describeViolation)).toEqual([expect.stringContaining('d.md:3')]);
});
