import { expect, test } from 'vitest';
import { importsOf, scan } from './scan.ts';

const specifiers = (text: string) => importsOf(scan(text)).map((found) => `${found.line} ${found.specifier}`);

test('comments and strings are blanked and keep their length and lines', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is code.
  const text = "const a = 'await'; // await\n/* await\n await */ const b = `await ${await c} await`;";
  const { codeOnly } = scan(text);
  expect(codeOnly.length).toBe(text.length);
  expect(codeOnly.split('\n')).toHaveLength(3);
  expect(codeOnly.match(/await/g)).toEqual(['await']);
});

test('a template inside a template is followed to its end', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is code.
  const { codeOnly } = scan('const a = `x ${f({ k: `y ${await z} await` })} await`; await b;');
  expect(codeOnly.match(/await \w/g)).toEqual(['await z', 'await b']);
});

test('a quote inside a regular expression starts no string', () => {
  const { codeOnly } = scan("const a = /['\"/]/.test(b); const c = d / e; await f; const g = 'x';");
  expect(codeOnly).toContain('await f');
  expect(codeOnly).toContain('d / e');
});

test('an escaped quote does not end a string', () => {
  expect(scan(String.raw`const a = 'it\'s await'; b;`).codeOnly).not.toContain('await');
});

test('every form of import and re-export is found with its line', () => {
  const text = [
    "import { a } from './a.ts';",
    "import type {\n  B,\n} from 'b';",
    "import 'side-effect';",
    "export { c } from './c.ts';",
    "export * as d from 'd';",
    "const e = await import('e');",
    'import f from "f";',
  ].join('\n');
  expect(specifiers(text)).toEqual(['1 ./a.ts', '4 b', '5 side-effect', '6 ./c.ts', '7 d', '8 e', '9 f']);
});

test('imports in comments and in quoted code are no imports', () => {
  expect(specifiers("// import { a } from 'a';\nconst text = `\nimport { b } from 'b';\n`;")).toEqual([]);
});
