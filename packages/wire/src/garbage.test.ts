import {
  DecodeError,
  EMPTY_BYTES,
  MessageKind,
  Prng,
  Reader,
  utf8Encode,
  Writer,
  Xxh64,
} from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { blankCommand, readCommand, writeCommand } from './commands.ts';
import { defaultPolicy, readConfig, writeConfig } from './config.ts';
import { diffConfig, readConfigDelta, writeConfigDelta } from './config-delta.ts';
import { beginEntry, EntryBody, readBatchHead, readEntryHead, writeBatchHead } from './entry.ts';
import { beginFrame, FrameKind, openFrame, sealFrame } from './frames.ts';
import {
  Role,
  readClientWelcome,
  readHello,
  readRefusal,
  writeClientWelcome,
  writeHello,
  writeRefusal,
} from './handshake.ts';
import { readMoveEntry, readMoveOutcome, writeMoveEntry, writeMoveOutcome } from './move-entries.ts';
import {
  decodeMoveAsk,
  decodeMoveReply,
  decodeMoveStepAsk,
  decodeMoveStepReply,
  encodeMoveAsk,
  encodeMoveReply,
  encodeMoveStepAsk,
  encodeMoveStepReply,
  openDelta,
  openPage,
  sealDelta,
  sealPage,
} from './move-messages.ts';
import {
  readBeatAcks,
  readBeats,
  readRaftMessage,
  readVoteRefusal,
  writeBeatAcks,
  writeBeats,
  writeRaftMessage,
  writeVoteRefusal,
} from './raft-frames.ts';
import { blankRead, ReadKind, readRead, readReadHead, writeRead, writeReadHead } from './reads.ts';
import { BatchStatus, readBatchReply, readWriteHead, writeBatchWait, writeWriteHead } from './requests.ts';
import { beginPage, endPage, readResult, writePageRecord, writeRefused } from './results.ts';
import {
  readSnapshotAck,
  readSnapshotChunk,
  readSnapshotOffer,
  writeSnapshotChunk,
  writeSnapshotOffer,
} from './snapshot-frames.ts';
import { outcomes, questions, replies, stepReplies, steps } from './testing/move-samples.ts';
import { readTimeBody, writeTimeBody } from './time-entries.ts';

// Bytes from outside may be anything. Whatever they are, reading them ends in a value or in a DecodeError: no
// other error, no endless loop, no allocation that the bytes do not pay for.

function written(write: (out: Writer) => void): Uint8Array {
  const out = new Writer(8);
  write(out);
  return out.finish();
}

const hasher = new Xxh64();
const group = { gid: 1, incarnation: 2 };
const replicas = [{ raftId: 1, storeId: 's1', storeIncarnation: 'i' }];
const message = {
  kind: MessageKind.app,
  from: 1,
  to: 2,
  term: 3,
  logTerm: 2,
  index: 3,
  commit: 4,
  vote: 0,
  reject: false,
  rejectHint: 0,
  entries: [{ index: 4, term: 2, kind: 0, data: utf8Encode('data') }],
  snapshot: {
    index: 1,
    term: 1,
    confState: { voters: [1], votersOutgoing: [], learners: [2], learnersNext: [], autoLeave: false },
    data: EMPTY_BYTES,
  },
  context: utf8Encode('c'),
  responses: [],
} as const;
const config = {
  number: 3,
  cause: 'join 1',
  author: 'a',
  atMs: 5,
  shards: [
    { owner: 1, epoch: 1, intent: { moveId: 3, target: 2, phase: 0, paused: false, next: 1 }, pinned: true },
    { owner: 1, epoch: 1, intent: undefined, pinned: false },
  ],
  groups: [{ gid: 1, incarnation: 2, replicas, leaving: false }],
  controller: { gid: 0, incarnation: 0, replicas, leaving: false },
  stores: [{ storeId: 's1', incarnation: 'i', address: 'a:1', addressVersion: 1, zone: 'z' }],
  policy: defaultPolicy,
} as const;

/** With a checksum that fits whatever stands before it: damage that a checksum lets through must not do harm. */
function resealed(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 8) return bytes;
  const sealed = bytes.slice();
  hasher.hash(sealed.subarray(0, -8));
  const view = new DataView(sealed.buffer);
  view.setUint32(sealed.length - 8, hasher.low, true);
  view.setUint32(sealed.length - 4, hasher.high, true);
  return sealed;
}

type Decoder = readonly [string, (bytes: Uint8Array) => unknown, Uint8Array];

const decoders: readonly Decoder[] = [
  [
    'command',
    (bytes) => readCommand(new Reader(bytes), blankCommand()),
    written((out) => writeCommand(out, { ...blankCommand(), key: utf8Encode('k'), flags: 31 })),
  ],
  ['entry head', readEntryHead, written((out) => beginEntry(out, EntryBody.clientBatch, 20))],
  [
    'batch head',
    (bytes) => readBatchHead(new Reader(bytes)),
    written((out) => writeBatchHead(out, { session: new Uint8Array(16), floor: 3 })),
  ],
  [
    'time entry',
    (bytes) => readTimeBody(new Reader(bytes)),
    written((out) => writeTimeBody(out, [{ shard: 1, items: 3 }])),
  ],
  ['result', (bytes) => readResult(new Reader(bytes)), written((out) => writeRefused(out, 'because'))],
  [
    'page',
    (bytes) => readResult(new Reader(bytes)),
    written((out) => {
      const at = beginPage(out);
      writePageRecord(out, utf8Encode('k'), 1, 1, utf8Encode('v'));
      endPage(out, at, 1, true);
    }),
  ],
  [
    'read',
    (bytes) => readRead(new Reader(bytes), blankRead()),
    written((out) => writeRead(out, { ...blankRead(), kind: ReadKind.scan, key: utf8Encode('k') })),
  ],
  [
    'read head',
    (bytes) => readReadHead(new Reader(bytes)),
    written((out) =>
      writeReadHead(out, { request: 1, gid: 2, level: 0, maxAgeMs: 3, timeLeftMs: 4, count: 5 }),
    ),
  ],
  [
    'write head',
    (bytes) => readWriteHead(new Reader(bytes)),
    written((out) => writeWriteHead(out, { request: 1, gid: 2, timeLeftMs: 3 })),
  ],
  [
    'batch reply',
    (bytes) => readBatchReply(new Reader(bytes), (part) => new Reader(part)),
    written((out) => writeBatchWait(out, 1, BatchStatus.overloaded, 2, 'why')),
  ],
  ['config', readConfig, written((out) => writeConfig(out, config))],
  [
    'config delta',
    readConfigDelta,
    written((out) =>
      writeConfigDelta(
        out,
        diffConfig(
          { ...config, number: 2, groups: [], stores: [], policy: { ...defaultPolicy, auto: true } },
          config,
        ),
      ),
    ),
  ],
  [
    'hello',
    readHello,
    written((out) =>
      writeHello(out, {
        role: Role.peer,
        protocolMin: 1,
        protocolMax: 1,
        formatMin: 1,
        formatMax: 1,
        clusterId: 'c',
        storeId: 's',
        incarnation: 'i',
        address: 'a',
        lane: 1,
        addressBook: [{ storeId: 's', incarnation: 'i', address: 'a', version: 1 }],
      }),
    ),
  ],
  [
    'client welcome',
    readClientWelcome,
    written((out) =>
      writeClientWelcome(out, {
        protocol: 1,
        clusterId: 'c',
        storeId: 's',
        session: new Uint8Array(16),
        wallMs: 1,
        config: EMPTY_BYTES,
      }),
    ),
  ],
  ['refusal', readRefusal, written((out) => writeRefusal(out, { code: 'c', message: 'm' }))],
  [
    'raft message',
    (bytes) => readRaftMessage(new Reader(bytes)),
    written((out) => writeRaftMessage(out, group, message)),
  ],
  [
    'beats',
    readBeats,
    written((out) =>
      writeBeats(out, 1, [
        { group, from: 1, to: 2, term: 3, commit: 4, leaderCommit: 5, context: EMPTY_BYTES },
      ]),
    ),
  ],
  [
    'beat acks',
    readBeatAcks,
    written((out) =>
      writeBeatAcks(out, [{ group, from: 1, to: 2, term: 3, round: 4, context: EMPTY_BYTES }]),
    ),
  ],
  [
    'vote refusal',
    readVoteRefusal,
    written((out) => writeVoteRefusal(out, { group, to: 1, remainingMs: 2 })),
  ],
  [
    'snapshot offer',
    readSnapshotOffer,
    written((out) =>
      writeSnapshotOffer(out, { group, from: 1, to: 2, stream: 3, term: 4, meta: EMPTY_BYTES }),
    ),
  ],
  [
    'snapshot chunk',
    readSnapshotChunk,
    written((out) =>
      writeSnapshotChunk(out, { stream: 1, number: 2, last: true, digest: 3, items: utf8Encode('i') }),
    ),
  ],
  ['snapshot ack', readSnapshotAck, new Uint8Array(13)],
  ...steps.map(
    (step): Decoder => [
      `move step ${step.step}`,
      (bytes) => readMoveEntry(new Reader(bytes)),
      written((out) => writeMoveEntry(out, step)),
    ],
  ),
  ...outcomes.map(
    (outcome): Decoder => [
      `move answer ${outcome.answer}`,
      (bytes) => readMoveOutcome(new Reader(bytes)),
      written((out) => writeMoveOutcome(out, outcome)),
    ],
  ),
  ...questions.map(
    (question): Decoder => [
      `move question ${question.kind}`,
      decodeMoveAsk,
      encodeMoveAsk({ id: 1, group, question }),
    ],
  ),
  ...replies.map((reply, at): Decoder => [`move reply ${at}`, decodeMoveReply, encodeMoveReply(1, reply)]),
  ...steps
    .slice(0, 1)
    .map(
      (step): Decoder => [
        'move step for another log',
        decodeMoveStepAsk,
        encodeMoveStepAsk({ id: 1, group, step }),
      ],
    ),
  ...stepReplies.map(
    (reply, at): Decoder => [`fate ${at} of a move step`, decodeMoveStepReply, encodeMoveStepReply(1, reply)],
  ),
  [
    'sealed page',
    (bytes) => openPage(resealed(bytes), hasher),
    sealPage(
      {
        moveId: 1,
        shard: 2,
        cursor: EMPTY_BYTES,
        view: 3,
        next: EMPTY_BYTES,
        isLast: true,
        items: EMPTY_BYTES,
      },
      hasher,
    ),
  ],
  [
    'sealed delta',
    (bytes) => openDelta(resealed(bytes), hasher),
    sealDelta({ moveId: 1, shard: 2, from: 3, to: 4, items: EMPTY_BYTES }, hasher),
  ],
  [
    'frame',
    (bytes) => openFrame(bytes, hasher, 1 << 20),
    written((out) => {
      beginFrame(out);
      sealFrame(out, FrameKind.ping, hasher);
    }),
  ],
];

function survives(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void {
  try {
    decode(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
}

describe('garbage', () => {
  test.each(decoders)('of any bytes at all, read as a %s, gives a value or a DecodeError', (name, decode) => {
    const random = new Prng(101).fork(name);
    for (let round = 0; round < 1500; round++) {
      const bytes = Uint8Array.from({ length: random.below(120) }, () =>
        random.chance(0.3) ? random.below(4) : random.below(256),
      );
      survives(decode, bytes);
    }
  });

  test.each(decoders)(
    'made of a good %s by a few changes gives a value or a DecodeError',
    (name, decode, good) => {
      expect(() => decode(good)).not.toThrow();
      const random = new Prng(102).fork(name);
      for (let round = 0; round < 1500; round++) {
        let bytes = good.slice();
        for (let left = 1 + random.below(3); left > 0; left--) {
          const at = random.below(bytes.length);
          bytes[at] = random.chance(0.3) ? 0xff : random.below(256);
        }
        if (random.chance(0.3)) bytes = bytes.slice(0, random.below(bytes.length + 1));
        survives(decode, bytes);
      }
    },
  );
});
