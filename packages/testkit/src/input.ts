/**
 * What stands in a file that a person may have written: read by hand, so that each mistake is told with its
 * place, like `faults[3].store: there is no store "s9"`.
 */

export class InputError extends Error {
  constructor(place: string, what: string) {
    super(place === '' ? what : `${place}: ${what}`);
    this.name = 'InputError';
  }
}

export function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}

export type Fields = Readonly<Record<string, unknown>>;

/** An object, with no other fields than these if they are named. */
export function fieldsOf(value: unknown, place: string, known?: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(place, `an object is wanted, ${show(value)} stands there`);
  }
  const strange = known === undefined ? undefined : Object.keys(value).find((name) => !known.includes(name));
  if (strange !== undefined)
    throw new InputError(place, `there is no field "${strange}": use ${known?.join(', ')}`);
  return value as Fields;
}

export function listOf(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new InputError(place, `a list is wanted, ${show(value)} stands there`);
}

export function textOf(value: unknown, place: string): string {
  if (typeof value === 'string') return value;
  throw new InputError(place, `a text is wanted, ${show(value)} stands there`);
}

export function numberOf(value: unknown, place: string, least: number = Number.NEGATIVE_INFINITY): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= least) return value;
  const from = least === Number.NEGATIVE_INFINITY ? '' : ` from ${least}`;
  throw new InputError(place, `a number${from} is wanted, ${show(value)} stands there`);
}

export function wholeOf(
  value: unknown,
  place: string,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw new InputError(place, `a whole number ${range} is wanted, ${show(value)} stands there`);
}

/** A probability. */
export function partOf(value: unknown, place: string): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw new InputError(place, `a probability from 0 to 1 is wanted, ${show(value)} stands there`);
}

export function flagOf(value: unknown, place: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new InputError(place, `true or false is wanted, ${show(value)} stands there`);
}

export function oneOf<T>(value: unknown, place: string, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T;
  const what = value === undefined ? 'it is missing: use one' : `${show(value)} is none`;
  throw new InputError(place, `${what} of ${choices.join(', ')}`);
}
