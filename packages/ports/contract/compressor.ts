import { DecodeError } from '@flotilla/base';
import type { Compressor } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';

/** What every compressor owes: the same bytes back, and nothing but a decode error for anything else. */
export function compressorContract(name: string, make: () => Compressor): void {
  describe(`${name} as a compressor`, () => {
    const repetitive = new Uint8Array(10_000).fill(7, 0, 9_000);
    const ascending = Uint8Array.from({ length: 300 }, (_, at) => at);
    const samples = [new Uint8Array(0), Uint8Array.of(1), repetitive, ascending];

    test('gives back what it took, at every level', () => {
      const compressor = make();
      for (const sample of samples) {
        for (const level of [1, 3]) {
          const raw = compressor.decompress(compressor.compress(sample, level), sample.length);
          expect(Uint8Array.from(raw)).toEqual(sample);
        }
      }
    });

    test('makes repetitive bytes smaller', () => {
      expect(make().compress(repetitive, 1).length).toBeLessThan(repetitive.length / 10);
    });

    test('refuses bytes that unpack to more or to less than was announced', () => {
      const compressor = make();
      const packed = compressor.compress(repetitive, 1);
      for (const length of [0, 1, repetitive.length - 1, repetitive.length + 1]) {
        expect(() => compressor.decompress(packed, length)).toThrow(DecodeError);
      }
    });

    test('takes damaged bytes for a decode error or for others of the announced length', () => {
      const compressor = make();
      const packed = compressor.compress(repetitive, 1);
      for (let at = 0; at < packed.length; at++) {
        const damaged = packed.slice();
        damaged[at] = (damaged[at] as number) ^ 0x41;
        try {
          expect(compressor.decompress(damaged, repetitive.length).length).toBe(repetitive.length);
        } catch (cause) {
          expect(cause).toBeInstanceOf(DecodeError);
        }
      }
    });
  });
}
