import { Prng, utf8Decode } from '@flotilla/base';
import { Status } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { addDecimals } from './decimal.ts';
import { bytes } from './testing/rig.ts';

function add(left: string, right: string): string | number {
  const sum = addDecimals(bytes(left), bytes(right));
  return typeof sum === 'number' ? sum : utf8Decode(sum);
}

describe('sums of decimal texts', () => {
  test.each([
    ['0', '0', '0'],
    ['5', '-7', '-2'],
    ['-1', '1', '0'],
    ['999999999999999', '1', '1000000000000000'],
    ['9007199254740993', '0', '9007199254740993'],
    ['9223372036854775806', '1', '9223372036854775807'],
    ['-9223372036854775807', '-1', '-9223372036854775808'],
    ['-9223372036854775808', '9223372036854775807', '-1'],
  ])('%s and %s give %s', (left, right, sum) => {
    expect(add(left, right)).toBe(sum);
    expect(add(right, left)).toBe(sum);
  });

  test('one past the largest and the smallest int64 is an overflow', () => {
    expect(add('9223372036854775807', '1')).toBe(Status.overflow);
    expect(add('-9223372036854775808', '-1')).toBe(Status.overflow);
  });

  test.each([
    '',
    '-',
    '+1',
    '01',
    '-0',
    '-01',
    '00',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x10',
    '١',
    '9223372036854775808',
    '-9223372036854775809',
    '99999999999999999999',
    '123456789012345678901',
  ])('%j is not a number', (text) => {
    expect(add(text, '1')).toBe(Status.notANumber);
    expect(add('1', text)).toBe(Status.notANumber);
  });

  test('agrees with bigints on numbers of all lengths', () => {
    const random = new Prng(11);
    const draw = (): bigint => {
      const wide = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
      return BigInt.asIntN(64, wide) >> BigInt(random.below(64));
    };
    for (let round = 0; round < 2000; round++) {
      const left = draw();
      const right = draw();
      const sum = left + right;
      expect(add(String(left), String(right))).toBe(
        BigInt.asIntN(64, sum) === sum ? String(sum) : Status.overflow,
      );
    }
  });
});
