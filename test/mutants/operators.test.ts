import { describe, expect, test } from 'vitest';
import { choose, mutated, placesOf } from './places.ts';

/** What becomes of the body of a function, one change at a time. */
function changed(body: string, returns = 'void'): readonly string[] {
  const head = `function f(a: number, b: number): ${returns} { `;
  const text = `${head}${body} }`;
  const all = placesOf('packages/raft/src/x.ts', text).map((place) => mutated(text, place));
  return all.map((one) => one.slice(head.length, -2));
}

describe('mechanical changes', () => {
  test('a comparison is turned, and its limit moved', () => {
    expect(changed('c = a < b;')).toEqual([';', 'c = a <= b;', 'c = a >= b;']);
    expect(changed('c = a === b;')).toEqual([';', 'c = a !== b;']);
  });

  test('a step of one is left out', () => {
    expect(changed('const c = a + 1;')).toEqual(['const c = a;']);
    expect(changed('const c = a + b;')).toEqual([]);
  });

  test('and becomes or', () => {
    expect(changed('const c = a && b;')).toEqual(['const c = (a) || (b);']);
  });

  test('a condition is always true, always false, and with an else turned round', () => {
    expect(changed('if (a) g = 1; else g = 2;')).toEqual([
      'if (true) g = 1; else g = 2;',
      'if (false) g = 1; else g = 2;',
      'if (!(a)) g = 1; else g = 2;',
      'if (a) ; else g = 2;',
      'if (a) g = 1; else ;',
    ]);
    expect(changed('const c = a ? 1 : 2;')).toEqual(['const c = true ? 1 : 2;', 'const c = false ? 1 : 2;']);
  });

  test('a loop does not begin', () => {
    expect(changed('while (a) g();')).toEqual(['while (false) g();', 'while (a) ;']);
  });

  test('a call or an assignment is dropped', () => {
    expect(changed('g(); x?.y(); a++;')).toEqual(['; x?.y(); a++;', 'g(); ; a++;', 'g(); x?.y(); ;']);
  });

  test('the larger of two is the smaller one', () => {
    expect(changed('const c = Math.max(a, b);')).toEqual(['const c = Math.min(a, b);']);
  });

  test('a function returns something else of its type', () => {
    expect(changed('return c;', 'boolean')).toEqual(['return !(c);']);
    expect(changed('return c;', 'number')).toEqual(['return (c) + 1;']);
    expect(changed('return c;', 'number | undefined')).toEqual(['return undefined;']);
    expect(changed('return c;', 'string')).toEqual([]);
  });

  test('log lines, texts, types, errors and assertions stay', () => {
    expect(changed('core.logger?.log("info", () => a < b); assert(a < b, "no");')).toEqual([]);
    expect(changed('throw new Error(a < b); const t: 1 | 2 = x; const verb = a ? 1 : 2;')).toEqual([]);
    expect(changed(`const t = \`\${a < b}\`;`)).toEqual([]);
  });

  test('each place has a name of its own, and what is drawn depends on the seed alone', () => {
    const places = placesOf('packages/raft/src/x.ts', 'function f(): void { g(); g(); g(); h(); i(); }');
    expect(places.map(({ name }) => name).slice(0, 2)).toEqual([
      'x.ts f: g(); is dropped',
      'x.ts f: g(); is dropped (2)',
    ]);
    expect(choose(places, 1, 3)).toEqual(choose([...places].reverse(), 1, 3));
    expect(choose(places, 1, 9).length).toBe(5);
    expect(choose(places, 1, 3)).not.toEqual(choose(places, 2, 3));
  });
});
