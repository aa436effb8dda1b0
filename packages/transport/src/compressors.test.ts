import { Lane } from '@flotilla/ports';
import { compressorContract } from '@flotilla/ports/contract';
import { describe, expect, test } from 'vitest';
import { RunLengthCompressor, ZstdCompressor } from './compressors.ts';
import { Packer, type PackingRules } from './fabric/packing.ts';

compressorContract('ZstdCompressor', () => new ZstdCompressor());
compressorContract('RunLengthCompressor', () => new RunLengthCompressor());

const rules: PackingRules = { mode: 'auto', consensusBytesMin: 1000, bulkBytesMin: 100, bytesMax: 10_000 };
const far = '192.0.2.1:7401';

function packer(changes: Partial<PackingRules> = {}): Packer {
  return new Packer(new RunLengthCompressor(), { ...rules, ...changes });
}

describe('what is packed between stores', () => {
  test('a large repetitive body comes back with its kind', () => {
    const body = new Uint8Array(2000).fill(3);
    const packed = packer().pack(Lane.consensus, 16, body, far);
    expect(packed?.length).toBeLessThan(100);
    expect(packer().unpack(packed as Uint8Array)).toEqual({ kind: 16, body });
  });

  test('bodies below the lane’s threshold, above the limit, or to loopback go as they are', () => {
    expect(packer().pack(Lane.consensus, 16, new Uint8Array(999), far)).toBeUndefined();
    expect(packer().pack(Lane.bulk, 33, new Uint8Array(999), far)).toBeDefined();
    expect(packer().pack(Lane.bulk, 33, new Uint8Array(10_001), far)).toBeUndefined();
    expect(packer().pack(Lane.bulk, 33, new Uint8Array(999), '127.0.0.1:7401')).toBeUndefined();
    expect(
      packer({ mode: 'always' }).pack(Lane.bulk, 33, new Uint8Array(999), '127.0.0.1:7401'),
    ).toBeDefined();
    expect(packer({ mode: 'off' }).pack(Lane.bulk, 33, new Uint8Array(999), far)).toBeUndefined();
  });

  test('after a body that does not shrink, the next 32 are not tried', () => {
    const one = packer();
    const noise = Uint8Array.from({ length: 2000 }, (_, at) => (at * 7919) & 0xff);
    expect(one.pack(Lane.bulk, 33, noise, far)).toBeUndefined();
    const body = new Uint8Array(2000);
    for (let count = 0; count < 32; count++) expect(one.pack(Lane.bulk, 33, body, far)).toBeUndefined();
    expect(one.pack(Lane.bulk, 33, body, far)).toBeDefined();
  });
});
