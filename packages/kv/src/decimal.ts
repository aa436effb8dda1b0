import { Status } from '@flotilla/wire';

/**
 * Sums of decimal int64 texts. Accepted is the canonical form only: `0`, or digits that do not begin with 0,
 * with `-` before them if negative. What another program would print for the number is what is stored.
 */

const ZERO = 0x30;
const MINUS = 0x2d;
/** Two numbers of so many digits, and their sum, are safe integers. */
const SAFE_DIGITS = 15;
const TEXT_BYTES_MAX = 20;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

type Decimal = number | bigint;

function isCanonical(text: Uint8Array): boolean {
  const first = text[0] === MINUS ? 1 : 0;
  if (text.length === first || text.length > TEXT_BYTES_MAX) return false;
  if (text[first] === ZERO) return text.length === 1;
  for (let at = first; at < text.length; at++) {
    const digit = (text[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return false;
  }
  return true;
}

/** The number; undefined if the text is not a canonical int64. */
function parse(text: Uint8Array): Decimal | undefined {
  if (!isCanonical(text)) return undefined;
  const isNegative = text[0] === MINUS;
  const first = isNegative ? 1 : 0;
  if (text.length - first <= SAFE_DIGITS) {
    let value = 0;
    for (let at = first; at < text.length; at++) value = value * 10 + (text[at] as number) - ZERO;
    return isNegative ? -value : value;
  }
  const value = BigInt(String.fromCharCode(...text));
  return value < INT64_MIN || value > INT64_MAX ? undefined : value;
}

function format(value: Decimal): Uint8Array {
  const digits = String(value);
  const text = new Uint8Array(digits.length);
  for (let at = 0; at < digits.length; at++) text[at] = digits.charCodeAt(at);
  return text;
}

/** Text of the sum, or the status that says why there is none. */
export function addDecimals(
  left: Uint8Array,
  right: Uint8Array,
): Uint8Array | typeof Status.notANumber | typeof Status.overflow {
  const augend = parse(left);
  const addend = parse(right);
  if (augend === undefined || addend === undefined) return Status.notANumber;
  if (typeof augend === 'number' && typeof addend === 'number') return format(augend + addend);
  const sum = BigInt(augend) + BigInt(addend);
  return sum < INT64_MIN || sum > INT64_MAX ? Status.overflow : format(sum);
}
