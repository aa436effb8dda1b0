import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { DecodeError } from '@flotilla/base';
import type { Compressor } from '@flotilla/ports';

export class ZstdCompressor implements Compressor {
  compress(bytes: Uint8Array, level: number): Uint8Array {
    return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } });
  }

  decompress(bytes: Uint8Array, rawLength: number): Uint8Array {
    let raw: Uint8Array;
    try {
      raw = zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, rawLength) });
    } catch (cause) {
      throw new DecodeError(
        `${bytes.length} compressed bytes cannot be unpacked to ${rawLength}`,
        {},
        { cause },
      );
    }
    return checkLength(raw, rawLength);
  }
}

/** Runs of equal bytes as pairs of count and byte: small, deterministic, for simulations. */
export class RunLengthCompressor implements Compressor {
  compress(bytes: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const byte = bytes[at] as number;
      let count = 1;
      while (count < 255 && bytes[at + count] === byte) count++;
      out.push(count, byte);
      at += count;
    }
    return Uint8Array.from(out);
  }

  decompress(bytes: Uint8Array, rawLength: number): Uint8Array {
    const raw = new Uint8Array(rawLength);
    let end = 0;
    for (let at = 0; at + 1 < bytes.length; at += 2) {
      const count = bytes[at] as number;
      if (end + count > rawLength) throw new DecodeError(`more than ${rawLength} bytes in a packed message`);
      raw.fill(bytes[at + 1] as number, end, end + count);
      end += count;
    }
    return checkLength(raw.subarray(0, end), rawLength);
  }
}

function checkLength(raw: Uint8Array, rawLength: number): Uint8Array {
  if (raw.length === rawLength) return raw;
  throw new DecodeError(`${raw.length} bytes were unpacked where ${rawLength} were announced`);
}
