import { DecodeError, utf8Encode, Writer, Xxh64 } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { beginFrame, FRAME_HEADER_BYTES, FrameKind, openFrame, sealFrame } from './frames.ts';
import { limits } from './limits.ts';

const hasher = new Xxh64();

function frameOf(body: Uint8Array, kind: number = FrameKind.raft): Uint8Array {
  const out = new Writer(8);
  beginFrame(out);
  out.raw(body);
  return sealFrame(out, kind, hasher);
}

describe('a frame', () => {
  test('gives back kind and body, empty ones too', () => {
    for (const body of [new Uint8Array(0), utf8Encode('body')]) {
      for (const kind of Object.values(FrameKind)) {
        expect(openFrame(frameOf(body, kind), hasher, limits.peerFrameBytes)).toEqual({ kind, body });
      }
    }
  });

  test('may be taken from its writer without a copy', () => {
    const out = new Writer(64);
    beginFrame(out);
    out.raw(utf8Encode('body'));
    const frame = sealFrame(out, FrameKind.beat, hasher, true);
    expect(frame).toEqual(frameOf(utf8Encode('body'), FrameKind.beat));
    expect(out.length).toBe(0);
  });

  test('is refused when any single bit of it is another', () => {
    const frame = frameOf(utf8Encode('some body'));
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const bad = frame.slice();
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => openFrame(bad, hasher, limits.peerFrameBytes), `bit ${bit}`).toThrow(DecodeError);
    }
  });

  test('is refused when bytes are missing or too many', () => {
    const frame = frameOf(utf8Encode('some body'));
    for (let length = 0; length < frame.length; length++) {
      expect(() => openFrame(frame.slice(0, length), hasher, limits.peerFrameBytes)).toThrow(DecodeError);
    }
    const long = new Uint8Array(frame.length + 1);
    long.set(frame);
    expect(() => openFrame(long, hasher, limits.peerFrameBytes)).toThrow(DecodeError);
  });

  test('says what does not fit: length, magic, version, checksum', () => {
    const open = (change: (frame: Uint8Array) => void): (() => unknown) => {
      const frame = frameOf(utf8Encode('body'));
      change(frame);
      return () => openFrame(frame, hasher, limits.peerFrameBytes);
    };
    const set = (at: number, value: number) => (frame: Uint8Array) => {
      frame[at] = value;
    };
    expect(open(set(8, 0))).toThrow(/not a Flotilla frame/);
    expect(open(set(10, 9))).toThrow(/frame version 9/);
    expect(open(set(12, 5))).toThrow(/says 5 bytes and has 4/);
    expect(open(set(FRAME_HEADER_BYTES, 0))).toThrow(/checksum/);
  });

  test('may be as large as the limit, and not one byte larger', () => {
    const frame = frameOf(new Uint8Array(100));
    expect(openFrame(frame, hasher, frame.length).body).toHaveLength(100);
    expect(() => openFrame(frame, hasher, frame.length - 1)).toThrow(/over the limit/);
  });
});
