import { DecodeError, Reader } from '@flotilla/base';
import { Budget } from './cold-value.ts';

/**
 * Walks the opcodes of a MessagePack message before the decoder sees it, and allocates nothing for it. What
 * gets through is one whole value of plain data, not too deep, not too many, with every length inside the
 * message. Extensions are refused all alike: the decoder would turn some into regular expressions, errors
 * and typed arrays, and one of them defines records that change the meaning of later numbers.
 * Returns how many members all objects together declare.
 */
export function scanMsgpack(bytes: Uint8Array): { readonly members: number } {
  const from = new Reader(bytes);
  const budget = new Budget();
  // How many values are still to come in each open container, the outermost first.
  const open: number[] = [];
  const isMap: boolean[] = [];
  let left = 1;
  let keyNext = false;
  let members = 0;
  const enter = (count: number, map: boolean): void => {
    if (map) members += count;
    budget.enter(open.length + 1, count);
    open.push(left);
    isMap.push(keyNext);
    left = map ? 2 * count : count;
    keyNext = map;
  };
  for (;;) {
    while (left === 0) {
      const outer = open.pop();
      if (outer === undefined) {
        from.expectEnd();
        return { members };
      }
      left = outer;
      keyNext = isMap.pop() as boolean;
    }
    left--;
    const code = from.u8();
    // In a map, keys are followed by an odd number of values that are still to come.
    if (keyNext && left % 2 === 1 && !isText(code)) {
      throw new DecodeError(`an object of a cold message has a key that is not text (opcode ${code})`, {
        code,
      });
    }
    scanValue(from, code, enter);
  }
}

function isText(code: number): boolean {
  return (code >= 0xa0 && code <= 0xbf) || (code >= 0xd9 && code <= 0xdb);
}

function scanValue(from: Reader, code: number, enter: (count: number, map: boolean) => void): void {
  if (code <= 0x7f || code >= 0xe0) return;
  if (code <= 0x8f) enter(code & 0x0f, true);
  else if (code <= 0x9f) enter(code & 0x0f, false);
  else if (code <= 0xbf) from.skip(code & 0x1f);
  else scanLong(from, code, enter);
}

const SAFE_HIGH_MAX = 0x1f_ffff;

function scanLong(from: Reader, code: number, enter: (count: number, map: boolean) => void): void {
  switch (code) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      break;
    case 0xc4: // bin 8
    case 0xd9: // str 8
      from.skip(from.u8());
      break;
    case 0xc5: // bin 16
    case 0xda: // str 16
      from.skip(u16(from));
      break;
    case 0xc6: // bin 32
    case 0xdb: // str 32
      from.skip(u32(from));
      break;
    case 0xca: // float 32
    case 0xce: // uint 32
    case 0xd2: // int 32
      from.skip(4);
      break;
    case 0xcb: // float 64
      from.skip(8);
      break;
    case 0xcc: // uint 8
    case 0xd0: // int 8
      from.skip(1);
      break;
    case 0xcd: // uint 16
    case 0xd1: // int 16
      from.skip(2);
      break;
    case 0xcf: // uint 64
      scanLarge(u32(from), u32(from));
      break;
    case 0xd3: // int 64
      scanSigned(u32(from) | 0, u32(from));
      break;
    case 0xdc: // array 16
      enter(u16(from), false);
      break;
    case 0xdd: // array 32
      enter(u32(from), false);
      break;
    case 0xde: // map 16
      enter(u16(from), true);
      break;
    case 0xdf: // map 32
      enter(u32(from), true);
      break;
    default:
      throw new DecodeError(`a cold message has opcode 0x${code.toString(16)}, which is not plain data`, {
        code,
      });
  }
}

/** MessagePack is big endian, the reader is not. */
function u16(from: Reader): number {
  return from.u8() * 0x100 + from.u8();
}

function u32(from: Reader): number {
  return u16(from) * 0x1_0000 + u16(from);
}

function scanLarge(high: number, low: number): void {
  if (high <= SAFE_HIGH_MAX) return;
  throw new DecodeError('a cold message has a whole number above 2^53-1', { high, low });
}

function scanSigned(high: number, low: number): void {
  if (high >= 0) scanLarge(high, low);
  // -2^53 itself is not a safe integer.
  else if (high < -SAFE_HIGH_MAX - 1 || (high === -SAFE_HIGH_MAX - 1 && low === 0)) {
    throw new DecodeError('a cold message has a whole number below -(2^53-1)', { high, low });
  }
}
