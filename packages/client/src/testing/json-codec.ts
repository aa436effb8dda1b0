import { utf8Decode, utf8Encode } from '@flotilla/base';
import type { ColdCodec, ColdValue } from '@flotilla/ports';

/** Cold values as JSON; bytes as lists. Good enough between two ends of one test. */
export const jsonCodec: ColdCodec = {
  encode: (value) =>
    utf8Encode(
      JSON.stringify(value, (_, each: unknown) => (each instanceof Uint8Array ? { bytes: [...each] } : each)),
    ),
  decode: (bytes) =>
    JSON.parse(utf8Decode(bytes), (_, each: ColdValue & { bytes?: number[] }) =>
      Array.isArray(each?.bytes) ? Uint8Array.from(each.bytes) : each,
    ) as ColdValue,
};
