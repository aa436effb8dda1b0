import { DecodeError, Reader, utf8Encode, Writer } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import {
  BatchStatus,
  beginResults,
  endResults,
  readBatchReply,
  readWriteHead,
  WRITE_HEAD_BYTES,
  writeBare,
  writeBatchWait,
  writeMalformed,
  writeNotLeader,
  writeWriteHead,
} from './requests.ts';
import { readResult, Status, writeConflict, writeOk } from './results.ts';

const makeReader = (bytes: Uint8Array): Reader => new Reader(bytes);

describe('a reply frame', () => {
  test('holds many replies, each with its own range of results', () => {
    const out = new Writer(8);
    const first = beginResults(out, 1);
    writeOk(out, 10);
    writeConflict(out, 4);
    endResults(out, first);
    writeNotLeader(out, 2, 's2', '10.0.0.2:7401');
    writeBatchWait(out, 3, BatchStatus.overloaded, 50, 'apply lag');
    writeBatchWait(out, 4, BatchStatus.notNow, 5, 'behind');
    writeMalformed(out, 5, 'no commands');
    for (const status of [BatchStatus.noGroup, BatchStatus.unknown, BatchStatus.expired] as const) {
      writeBare(out, 6, status);
    }
    const empty = beginResults(out, 7);
    endResults(out, empty);

    const from = new Reader(out.finish());
    const reply = readBatchReply(from, makeReader);
    if (reply.status !== BatchStatus.results) throw new Error(`status ${reply.status}`);
    expect(reply.request).toBe(1);
    expect(readResult(reply.results)).toMatchObject({ status: Status.ok, version: 10 });
    expect(readResult(reply.results)).toEqual({ status: Status.conflict, version: 4 });
    reply.results.expectEnd();
    const next = (): unknown => readBatchReply(from, makeReader);
    expect(next()).toEqual({
      request: 2,
      status: BatchStatus.notLeader,
      leader: 's2',
      address: '10.0.0.2:7401',
    });
    expect(next()).toEqual({
      request: 3,
      status: BatchStatus.overloaded,
      retryAfterMs: 50,
      why: 'apply lag',
    });
    expect(next()).toEqual({ request: 4, status: BatchStatus.notNow, retryAfterMs: 5, why: 'behind' });
    expect(next()).toEqual({ request: 5, status: BatchStatus.malformed, why: 'no commands' });
    expect(next()).toEqual({ request: 6, status: BatchStatus.noGroup });
    expect(next()).toEqual({ request: 6, status: BatchStatus.unknown });
    expect(next()).toEqual({ request: 6, status: BatchStatus.expired });
    expect(next()).toMatchObject({ request: 7, status: BatchStatus.results });
    from.expectEnd();
  });

  test('with an unknown status cannot be read on', () => {
    const out = new Writer(8);
    out.u32(1);
    out.u8(200);
    expect(() => readBatchReply(new Reader(out.finish()), makeReader)).toThrow(/batch status 200/);
  });

  test('whose results claim more bytes than there are cannot be read', () => {
    const out = new Writer(8);
    const at = beginResults(out, 1);
    endResults(out, at);
    out.patchU32(at, 1);
    expect(() => readBatchReply(new Reader(out.finish()), makeReader)).toThrow(DecodeError);
  });
});

test('a write begins with a head of fixed size', () => {
  const out = new Writer(8);
  const head = { request: 0xffff_ffff, gid: 0xffff_fffe, timeLeftMs: 9 };
  writeWriteHead(out, head);
  expect(out.length).toBe(WRITE_HEAD_BYTES);
  out.raw(utf8Encode('entry'));
  expect(readWriteHead(new Reader(out.finish()))).toEqual(head);
});
