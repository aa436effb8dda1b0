import { Prng } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import { beforeAll, describe, expect, test } from 'vitest';

/** Results that other implementations of xxh64 with seed 0 give as well. */
const known: readonly (readonly [input: string, high: number, low: number])[] = [
  ['', 0xef46db37, 0x51d8e999],
  ['a', 0xd24ec4f1, 0xa98c6e5b],
  ['abc', 0x44bc2cf5, 0xad770999],
  ['Nobody inspects the spammish repetition', 0xfbcea83c, 0x8a378bf1],
];

/** What every hasher does. `reference` is another implementation, as a 64-bit number. */
export function hasherContract(
  name: string,
  create: () => Promise<Hasher>,
  reference?: () => Promise<(bytes: Uint8Array) => bigint>,
): void {
  describe(`hasher contract: ${name}`, () => {
    let hasher: Hasher;
    beforeAll(async () => {
      hasher = await create();
    });

    test('known inputs have their known hashes', () => {
      for (const [input, high, low] of known) {
        expect(hasher.hash(new TextEncoder().encode(input))).toBe(low);
        expect([hasher.high, hasher.low]).toEqual([high, low]);
      }
    });

    test('a view of a larger buffer hashes as its bytes alone, whatever surrounds them', () => {
      const whole = new Uint8Array(300).map((_, at) => at * 13);
      for (let length = 0; length <= 100; length++) {
        for (const offset of [0, 1, 3, 8]) {
          const low = hasher.hash(whole.slice(offset, offset + length));
          const { high } = hasher;
          expect(hasher.hash(whole.subarray(offset, offset + length))).toBe(low);
          expect(hasher.high).toBe(high);
        }
      }
    });

    test('both halves are unsigned and belong to the last call', () => {
      const random = new Prng(1);
      for (let round = 0; round < 200; round++) {
        const low = hasher.hash(new Uint8Array(random.below(80)).map(() => random.below(256)));
        expect(hasher.low).toBe(low);
        for (const half of [hasher.low, hasher.high]) {
          expect(Number.isInteger(half) && half >= 0 && half <= 0xffff_ffff).toBe(true);
        }
      }
    });

    if (reference !== undefined) {
      test('all lengths up to 200 and random long inputs hash as elsewhere', async () => {
        const other = await reference();
        const random = new Prng(2);
        for (let round = 0; round < 400; round++) {
          const length = round <= 200 ? round : random.below(round > 390 ? 300_000 : 4_000);
          const input = new Uint8Array(length).map(() => random.below(256));
          hasher.hash(input);
          expect((BigInt(hasher.high) << 32n) | BigInt(hasher.low), `length ${length}`).toBe(other(input));
        }
      });
    }
  });
}
