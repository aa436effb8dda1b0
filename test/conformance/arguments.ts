import { type Argument, integer, MalformedError, single, type TestCase } from './parser.ts';

/** How the commands read their arguments. Bare words and `key=value` may stand in any order among each other. */

/** Bare arguments, in written order. */
export function positional(test: TestCase): string[] {
  return test.args.filter(({ values }) => values.length === 0).map(({ key }) => key);
}

export function numbers(test: TestCase): number[] {
  return positional(test).map(integer);
}

export function firstNumber(test: TestCase): number {
  return integer(positional(test)[0]);
}

/** For commands about a node and a second number. */
export function twoNumbers(test: TestCase): readonly [number, number] {
  const [first, second] = positional(test);
  return [integer(first), integer(second)];
}

/** The bare argument behind the node. */
export function word(test: TestCase): string {
  const text = positional(test)[1];
  if (text === undefined) throw new MalformedError(`${test.command} needs a second argument`);
  return text;
}

export function find(test: TestCase, key: string): Argument | undefined {
  return test.args.find((argument) => argument.key === key && argument.values.length > 0);
}

export function required(test: TestCase, key: string): string {
  const argument = find(test, key);
  if (argument === undefined) throw new MalformedError(`${test.command} needs ${key}=`);
  return single(argument);
}
