import { DecodeError, FlotillaError } from '@flotilla/base';
import type { ColdCodec, ColdValue } from '@flotilla/ports';
import { Packr, Unpackr } from 'msgpackr';
import { emptyObject, toPlain } from './cold-value.ts';
import { scanMsgpack } from './msgpack-scan.ts';

/**
 * MessagePack for messages that are rare enough to be self-describing. Objects go through the library as
 * maps: it renames a key `__proto__`, and takes an object's member `constructor` for its class.
 */
export class MsgpackColdCodec implements ColdCodec {
  readonly #packr = new Packr({ useRecords: false, mapsAsObjects: false, moreTypes: false });
  readonly #unpackr = new Unpackr({
    useRecords: false,
    mapsAsObjects: false,
    // The scan lets only safe integers through, so that this loses nothing.
    int64AsType: 'number',
  });

  encode(value: ColdValue): Uint8Array {
    const packed = this.#packr.pack(toPlain(value));
    // The library hands out a part of a buffer that it goes on using.
    return new Uint8Array(packed);
  }

  decode(bytes: Uint8Array): ColdValue {
    const { members } = scanMsgpack(bytes);
    let decoded: unknown;
    try {
      // Its own view, because the library attaches a property to what it reads.
      decoded = this.#unpackr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    } catch (cause) {
      if (cause instanceof FlotillaError) throw cause;
      throw new DecodeError(`a cold message cannot be decoded: ${(cause as Error).message}`, {}, { cause });
    }
    const found = { members: 0 };
    const value = normalise(decoded, found);
    if (found.members === members) return value;
    throw new DecodeError('an object of a cold message has the same key twice', { members, found });
  }
}

function normalise(value: unknown, found: { members: number }): ColdValue {
  if (
    value === null ||
    typeof value === 'boolean' ||
    typeof value === 'number' ||
    typeof value === 'string'
  ) {
    return value;
  }
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map((item) => normalise(item, found));
  if (value instanceof Map) {
    const object = emptyObject();
    for (const [key, inner] of value as ReadonlyMap<string, unknown>) object[key] = normalise(inner, found);
    found.members += value.size;
    return object;
  }
  throw new DecodeError(`a cold message decoded to a ${typeof value}, which is not plain data`);
}
