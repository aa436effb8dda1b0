import { DecodeError, hexDecode, hexEncode, utf8Decode, utf8Encode } from '@flotilla/base';
import type { ColdCodec, ColdValue } from '@flotilla/ports';

/** Cold values as JSON, with bytes as `{ "$bytes": hex }`: enough for tests, without the limits of the real one. */
export const jsonCodec: ColdCodec = {
  encode(value: ColdValue): Uint8Array {
    return utf8Encode(
      JSON.stringify(value, (_, item: ColdValue) =>
        item instanceof Uint8Array ? { $bytes: hexEncode(item) } : item,
      ),
    );
  },
  decode(bytes: Uint8Array): ColdValue {
    try {
      return JSON.parse(utf8Decode(bytes), (_, item) =>
        typeof item?.$bytes === 'string' ? hexDecode(item.$bytes) : item,
      ) as ColdValue;
    } catch (cause) {
      throw new DecodeError('not JSON', {}, { cause });
    }
  },
};
