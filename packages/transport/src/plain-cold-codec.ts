import { DecodeError, Reader, Writer } from '@flotilla/base';
import type { ColdCodec, ColdValue } from '@flotilla/ports';
import { Budget, emptyObject, type PlainValue, toPlain } from './cold-value.ts';

/**
 * The port's second implementation, for tests and the simulator: one tag byte, then the value. It is small
 * enough to see that it is right, which makes it the measure for the other one.
 */

const Tag = { null: 0, false: 1, true: 2, number: 3, text: 4, bytes: 5, list: 6, object: 7 } as const;

export class PlainColdCodec implements ColdCodec {
  encode(value: ColdValue): Uint8Array {
    const out = new Writer();
    write(out, toPlain(value));
    return out.finish();
  }

  decode(bytes: Uint8Array): ColdValue {
    const from = new Reader(bytes);
    const value = read(from, new Budget(), 1);
    from.expectEnd();
    return value;
  }
}

function write(out: Writer, value: PlainValue): void {
  if (value === null) out.u8(Tag.null);
  else if (typeof value === 'boolean') out.u8(value ? Tag.true : Tag.false);
  else if (typeof value === 'number') {
    out.u8(Tag.number);
    out.f64(value);
  } else if (typeof value === 'string') {
    out.u8(Tag.text);
    out.text(value);
  } else if (value instanceof Uint8Array) {
    out.u8(Tag.bytes);
    out.bytes32(value);
  } else if (value instanceof Map) {
    out.u8(Tag.object);
    out.u32(value.size);
    for (const [key, inner] of value as ReadonlyMap<string, PlainValue>) {
      out.text(key);
      write(out, inner);
    }
  } else {
    const items = value as readonly PlainValue[];
    out.u8(Tag.list);
    out.u32(items.length);
    for (const item of items) write(out, item);
  }
}

/** `depth` that a container here would have. */
function read(from: Reader, budget: Budget, depth: number): ColdValue {
  const tag = from.u8();
  switch (tag) {
    case Tag.null:
      return null;
    case Tag.false:
      return false;
    case Tag.true:
      return true;
    case Tag.number:
      return from.f64();
    case Tag.text:
      return from.text(from.remaining);
    case Tag.bytes:
      return from.bytes32(from.remaining).slice();
    case Tag.list:
      return readList(from, budget, depth);
    case Tag.object:
      return readObject(from, budget, depth);
    default:
      throw new DecodeError(`a cold message has the unknown tag ${tag}`, { tag });
  }
}

function readList(from: Reader, budget: Budget, depth: number): ColdValue {
  const count = from.u32();
  budget.enter(depth, count);
  const list: ColdValue[] = [];
  for (let at = 0; at < count; at++) list.push(read(from, budget, depth + 1));
  return list;
}

function readObject(from: Reader, budget: Budget, depth: number): ColdValue {
  const count = from.u32();
  budget.enter(depth, count);
  const object = emptyObject();
  for (let at = 0; at < count; at++) {
    const key = from.text(from.remaining);
    if (key in object) throw new DecodeError('an object of a cold message has the same key twice');
    object[key] = read(from, budget, depth + 1);
  }
  return object;
}
