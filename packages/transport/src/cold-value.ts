import { DecodeError, UsageError } from '@flotilla/base';
import type { ColdValue } from '@flotilla/ports';

/** What a cold message may hold, whichever codec carries it. */

/** Containers inside containers; a value that is not inside any is at depth 0. */
export const DEPTH_MAX = 16;
/** List items and object members of the whole message together. */
export const ELEMENTS_MAX = 4096;

/** Counts while a message is read; throws before anything is allocated for what is too much. */
export class Budget {
  #elements = 0;

  /** Entering a container of `count` items at `depth` (the outermost is at 1). */
  enter(depth: number, count: number): void {
    if (depth > DEPTH_MAX)
      throw new DecodeError(`a cold message is nested deeper than ${DEPTH_MAX}`, { depth });
    this.#elements += count;
    if (this.#elements > ELEMENTS_MAX) {
      throw new DecodeError(`a cold message has more than ${ELEMENTS_MAX} elements`, {
        elements: this.#elements,
      });
    }
  }
}

/** The value as codecs take it: objects as maps, so that no key of theirs can mean anything to the codec. */
export type PlainValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly PlainValue[]
  | ReadonlyMap<string, PlainValue>;

/**
 * Checks what is to be sent against what a receiver would refuse. `undefined` is no value on the wire: a
 * member that is undefined is left out, anywhere else it becomes null.
 */
export function toPlain(value: ColdValue): PlainValue {
  let elements = 0;
  const count = (more: number): void => {
    elements += more;
    if (elements <= ELEMENTS_MAX) return;
    throw new UsageError(`a message of more than ${ELEMENTS_MAX} elements cannot be sent: send it in pages`);
  };
  const convert = (item: ColdValue, depth: number): PlainValue => {
    if (item === undefined || item === null) return null;
    // Text that is not well formed cannot be written as UTF-8; the receiver gets U+FFFD in its place.
    if (typeof item === 'string') return item.toWellFormed();
    if (typeof item === 'boolean' || typeof item === 'number') return item;
    if (typeof item !== 'object') throw new UsageError(`a ${typeof item} cannot be sent in a message`);
    if (item instanceof Uint8Array) return item;
    if (depth === DEPTH_MAX) throw new UsageError(`a message nested deeper than ${DEPTH_MAX} cannot be sent`);
    if (Array.isArray(item)) {
      count(item.length);
      return (item as readonly ColdValue[]).map((inner) => convert(inner, depth + 1));
    }
    return members(item as Readonly<Record<string, ColdValue>>, depth);
  };
  const members = (item: Readonly<Record<string, ColdValue>>, depth: number): PlainValue => {
    const prototype = Object.getPrototypeOf(item);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new UsageError('only plain objects can be sent in a message, not maps or instances of classes');
    }
    const map = new Map<string, PlainValue>();
    for (const [key, inner] of Object.entries(item)) {
      if (inner !== undefined) map.set(key.toWellFormed(), convert(inner, depth + 1));
    }
    count(map.size);
    return map;
  };
  return convert(value, 0);
}

/** An object without a prototype, in which every key, `__proto__` too, is only a key. */
export function emptyObject(): Record<string, ColdValue> {
  return Object.create(null) as Record<string, ColdValue>;
}
