import { Reader, Writer } from '@flotilla/base';
import { type Compressor, Lane, neverRare, type RareBranches } from '@flotilla/ports';
import { limits } from '@flotilla/wire';

/**
 * Packs the bodies of large frames between stores. The body of a packed frame: kind u8 · raw length u32 ·
 * compressed bytes. What does not shrink goes as it is, and the next ones of that link are not even tried.
 */

export interface PackingRules {
  /** `auto`: not over loopback, where bytes cost less than the work to save them. */
  readonly mode: 'auto' | 'always' | 'off';
  readonly consensusBytesMin: number;
  readonly bulkBytesMin: number;
  /** Larger bodies would hold up the loop. */
  readonly bytesMax: number;
}

const CONSENSUS_LEVEL = 1;
const BULK_LEVEL = 3;
/** After a body that did not shrink. */
const SKIPPED_FRAMES = 32;
const HEAD_BYTES = 5;

export class Packer {
  readonly #compressor: Compressor;
  readonly #rules: PackingRules;
  readonly #rare: RareBranches;
  #skip = 0;

  constructor(compressor: Compressor, rules: PackingRules, rare: RareBranches = neverRare) {
    this.#compressor = compressor;
    this.#rules = rules;
    this.#rare = rare;
  }

  /** The packed body, or undefined if the frame should go as it is. */
  pack(lane: number, kind: number, body: Uint8Array, remoteAddress: string): Uint8Array | undefined {
    const { mode, consensusBytesMin, bulkBytesMin, bytesMax } = this.#rules;
    const isBulk = lane === Lane.bulk;
    const isSmall = body.length < (isBulk ? bulkBytesMin : consensusBytesMin);
    if ((isSmall && !this.#rare.take('frame-packed')) || body.length > bytesMax) return undefined;
    if (mode === 'off' || (mode === 'auto' && isLoopback(remoteAddress))) return undefined;
    if (this.#skip > 0) {
      this.#skip--;
      return undefined;
    }
    const packed = this.#compressor.compress(body, isBulk ? BULK_LEVEL : CONSENSUS_LEVEL);
    if (packed.length + HEAD_BYTES > body.length * 0.875) {
      this.#skip = SKIPPED_FRAMES;
      return undefined;
    }
    const out = new Writer(HEAD_BYTES + packed.length);
    out.u8(kind);
    out.u32(body.length);
    out.raw(packed);
    return out.take();
  }

  unpack(packedBody: Uint8Array): { readonly kind: number; readonly body: Uint8Array } {
    const from = new Reader(packedBody);
    const kind = from.u8();
    const rawLength = from.count(limits.peerFrameBytes, 0);
    return { kind, body: this.#compressor.decompress(from.raw(from.remaining), rawLength) };
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address.startsWith('[::1]') || address.startsWith('[::ffff:127.');
}
