import { DecodeError, Prng } from '@flotilla/base';
import type { ColdCodec, ColdValue } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';

/** Lists inside lists; the innermost is empty. */
function nested(depth: number): ColdValue {
  let value: ColdValue = [];
  for (let level = 1; level < depth; level++) value = [value];
  return value;
}

/** Any plain value, of bounded size. */
function randomValue(random: Prng, depth: number): ColdValue {
  const kind = random.below(depth > 0 ? 9 : 6);
  if (kind === 0) return null;
  if (kind === 1) return random.chance(0.5);
  if (kind === 2) return random.below(1000) - 500;
  if (kind === 3) return (random.unit() - 0.5) * 2 ** random.below(60);
  if (kind === 4) return randomText(random);
  if (kind === 5) return Uint8Array.from({ length: random.below(40) }, () => random.below(256));
  const count = random.below(6);
  if (kind <= 7) return Array.from({ length: count }, () => randomValue(random, depth - 1));
  const object: Record<string, ColdValue> = Object.create(null);
  for (let at = 0; at < count; at++) object[randomText(random)] = randomValue(random, depth - 1);
  return object;
}

function randomText(random: Prng): string {
  const alphabet = ['a', 'key', 'ä', '€', '😀', '\0', '"', '__proto__', 'constructor', ' '];
  return Array.from({ length: random.below(12) }, () => alphabet[random.below(alphabet.length)]).join('');
}

export function coldCodecContract(name: string, makeCodec: () => ColdCodec): void {
  describe(`${name} keeps the contract of a cold codec`, () => {
    const codec = makeCodec();
    const again = (value: ColdValue): ColdValue => codec.decode(codec.encode(value));

    test('plain values come back as they were', () => {
      const values: ColdValue[] = [
        null,
        true,
        false,
        0,
        1,
        -1,
        127,
        128,
        255,
        65_535,
        65_536,
        2 ** 31,
        2 ** 32,
      ];
      values.push(
        -128,
        -129,
        -(2 ** 31),
        Number.MAX_SAFE_INTEGER,
        Number.MIN_SAFE_INTEGER,
        0.1,
        1e300,
        Infinity,
      );
      values.push('', 'x', 'ä€😀', 'y'.repeat(300), 'z'.repeat(70_000), [], [[], [1, [2]]]);
      for (const value of values) expect(again(value)).toEqual(value);
      expect(again(Number.NaN)).toBeNaN();
    });

    test('bytes come back as bytes of their own', () => {
      for (const length of [0, 1, 255, 256, 65_536]) {
        const sent = new Uint8Array(length).fill(length & 255);
        const encoded = codec.encode(sent);
        const received = codec.decode(encoded) as Uint8Array;
        encoded.fill(0);
        expect(Object.getPrototypeOf(received)).toBe(Uint8Array.prototype);
        expect(Buffer.compare(received, sent)).toBe(0);
      }
    });

    test('what encode returns is not touched by the next encode', () => {
      const first = codec.encode('first');
      const copy = first.slice();
      codec.encode('second, and longer');
      expect(first).toEqual(copy);
    });

    test('objects come back without a prototype, and every key is only a key', () => {
      const sent = JSON.parse(
        '{"__proto__":{"polluted":1},"constructor":"c","toString":[2],"hasOwnProperty":null,"7":8}',
      );
      const received = again(sent) as Record<string, ColdValue>;
      expect(Object.getPrototypeOf(received)).toBe(null);
      expect(Object.keys(received).sort()).toEqual([
        '7',
        '__proto__',
        'constructor',
        'hasOwnProperty',
        'toString',
      ]);
      const proto = received[['__proto', '__'].join('')];
      expect({ ...(proto as object) }).toEqual({ polluted: 1 });
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    });

    test('an undefined member is left out, any other undefined becomes null', () => {
      expect(Object.keys(again({ here: 1, gone: undefined }) as object)).toEqual(['here']);
      expect(again([undefined, 1])).toEqual([null, 1]);
      expect(again(undefined)).toBe(null);
    });

    test('depth 16 passes in both directions and depth 17 in none', () => {
      expect(again(nested(16))).toEqual(nested(16));
      expect(() => codec.encode(nested(17))).toThrow(/deeper than 16/);
      expect(() => codec.encode(nested(20_000))).toThrow(/deeper than 16/);
    });

    test('4,096 elements pass and one more does not', () => {
      const full = Array.from({ length: 64 }, () => new Array(63).fill(0));
      expect(again(full)).toEqual(full);
      expect(() => codec.encode([...full, 1])).toThrow(/4096 elements/);
    });

    test('things that are not plain data are refused before they are sent', () => {
      class Thing {}
      for (const value of [new Map(), new Set(), new Thing(), new Date(0), 1n, Symbol('s'), () => 1]) {
        expect(() => codec.encode(value as unknown as ColdValue)).toThrow(/cannot be sent|can be sent/);
      }
    });

    test('random values come back as they were', () => {
      const random = new Prng(11);
      for (let round = 0; round < 2000; round++) {
        const value = randomValue(random, 5);
        expect(again(value)).toEqual(value);
      }
    });

    test('every truncation and every trailing byte is a decode error', () => {
      const encoded = codec.encode({ a: [1, 'two', Uint8Array.of(3)], b: { c: null, d: 1.5 } });
      for (let length = 0; length < encoded.length; length++) {
        expect(() => codec.decode(encoded.subarray(0, length))).toThrow(DecodeError);
      }
      expect(() => codec.decode(Uint8Array.of(...encoded, 0))).toThrow(DecodeError);
    });

    test('random and damaged bytes give a value or a decode error, nothing else', () => {
      const random = new Prng(12);
      for (let round = 0; round < 5000; round++) {
        const damaged = random.chance(0.5)
          ? codec.encode(randomValue(random, 4))
          : Uint8Array.from({ length: random.below(60) }, () => random.below(256));
        for (let flips = random.below(3); flips >= 0 && damaged.length > 0; flips--) {
          damaged[random.below(damaged.length)] = random.below(256);
        }
        try {
          codec.encode(codec.decode(damaged));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }
    });
  });
}
