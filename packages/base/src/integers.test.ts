import { describe, expect, test } from 'vitest';
import { putU32, putU32Big, putU53, putU53Big, u32At, u32BigAt, u64BigAt } from './integers.ts';
import { Prng } from './prng.ts';

const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const COUNTS = [...EDGES, 0x1_0000_0000, 0x1_ffff_ffff, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER];

describe('integers in bytes', () => {
  test('are what a view writes and reads, at any place and for any number', () => {
    const random = new Prng(3);
    for (const count of [...COUNTS, ...Array.from({ length: 200 }, () => random.below(2 ** 53))]) {
      const at = random.below(8);
      const bytes = new Uint8Array(16).fill(0xa5);
      const view = new DataView(bytes.buffer);
      const number = count % 2 ** 32;
      putU32(bytes, at, number);
      expect([view.getUint32(at, true), u32At(bytes, at)]).toEqual([number, number]);
      putU32Big(bytes, at, number);
      expect([view.getUint32(at), u32BigAt(bytes, at)]).toEqual([number, number]);
      putU53(bytes, at, count);
      expect(view.getBigUint64(at, true)).toBe(BigInt(count));
      putU53Big(bytes, at, count);
      expect([view.getBigUint64(at), u64BigAt(bytes, at)]).toEqual([BigInt(count), count]);
      const outside = [...bytes.subarray(0, at), ...bytes.subarray(at + 8)];
      expect(outside).toEqual(outside.map(() => 0xa5));
    }
  });
});
