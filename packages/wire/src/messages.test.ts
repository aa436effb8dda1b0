import {
  DecodeError,
  EMPTY_BYTES,
  EntryKind,
  type Message,
  MessageKind,
  Reader,
  utf8Encode,
  Writer,
} from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import {
  type ClusterConfig,
  defaultPolicy,
  type GroupRecord,
  MovePhase,
  readConfig,
  writeConfig,
} from './config.ts';
import {
  type Hello,
  Role,
  readAddressBook,
  readClientWelcome,
  readHello,
  readRefusal,
  writeAddressBook,
  writeClientWelcome,
  writeHello,
  writeRefusal,
} from './handshake.ts';
import { limits } from './limits.ts';
import {
  raftMessageBytes,
  readBeatAcks,
  readBeats,
  readRaftMessage,
  readVoteRefusal,
  writeBeatAcks,
  writeBeats,
  writeRaftMessage,
  writeVoteRefusal,
} from './raft-frames.ts';
import {
  readSnapshotAck,
  readSnapshotChunk,
  readSnapshotOffer,
  SnapshotVerdict,
  writeSnapshotAck,
  writeSnapshotChunk,
  writeSnapshotOffer,
} from './snapshot-frames.ts';

function written(write: (out: Writer) => void): Uint8Array {
  const out = new Writer(8);
  write(out);
  return out.finish();
}

const top = 2 ** 53 - 1;

function groupOf(gid: number, replicas: number): GroupRecord {
  return {
    gid,
    incarnation: gid + 1,
    replicas: Array.from({ length: replicas }, (_, at) => ({
      raftId: at + 1,
      storeId: `s${at}`,
      storeIncarnation: 'x'.repeat(64),
    })),
    leaving: gid % 2 === 0,
  };
}

function configOf(shardCount: number): ClusterConfig {
  return {
    number: top,
    cause: 'join 3 – für alle',
    author: 'someone',
    atMs: 1_790_000_000_000,
    shards: Array.from({ length: shardCount }, (_, shard) => ({
      owner: shard % 5,
      epoch: shard,
      intent:
        shard % 3 === 0
          ? {
              moveId: shard + 9,
              target: 4,
              phase: shard % 2 === 0 ? MovePhase.moving : MovePhase.cancelling,
              paused: shard % 4 === 0,
              next: shard % 6 === 0 ? 0xffff_fffe : 0,
            }
          : undefined,
      pinned: shard % 5 === 1,
    })),
    groups: [groupOf(1, 3), groupOf(2, 7), groupOf(0xffff_fffe, 0)],
    controller: groupOf(0, 3),
    stores: ['s1', 's2'].map((storeId) => {
      return { storeId, incarnation: 'i', address: '[::1]:7401', addressVersion: 4, zone: 'zone-ä' };
    }),
    policy: { auto: true, moveBytesPerSecond: top, movesPerStore: limits.movesPerStoreMax },
  };
}

describe('a config', () => {
  test.each([0, 1, 256, limits.shardCountMax])('of %i shards comes back as it was', (shardCount) => {
    const config = configOf(shardCount);
    expect(readConfig(written((out) => writeConfig(out, config)))).toEqual(config);
  });

  test('of 4,096 shards without moves takes a few tens of KiB', () => {
    const config = configOf(limits.shardCountMax);
    const calm = { ...config, shards: config.shards.map((shard) => ({ ...shard, intent: undefined })) };
    expect(written((out) => writeConfig(out, calm)).length).toBeLessThan(48 * 1024);
  });

  test('carries the policy of the cluster, whatever it is', () => {
    for (const policy of [defaultPolicy, { auto: true, moveBytesPerSecond: 0, movesPerStore: 1 }]) {
      const config = { ...configOf(3), policy };
      expect(readConfig(written((out) => writeConfig(out, config))).policy).toEqual(policy);
    }
  });

  test('over a limit, of another format, or with bytes too many cannot be read', () => {
    const many = configOf(limits.shardCountMax + 1);
    expect(() => readConfig(written((out) => writeConfig(out, many)))).toThrow(DecodeError);
    const bytes = written((out) => writeConfig(out, configOf(4)));
    expect(() => readConfig(new Uint8Array([...bytes, 0]))).toThrow(/1 bytes too many/);
    bytes[0] = 9;
    expect(() => readConfig(bytes)).toThrow(/config format 9/);
    const crowd = { ...configOf(0), groups: [groupOf(1, 4 * limits.replicasPerGroup + 1)] };
    expect(() => readConfig(written((out) => writeConfig(out, crowd)))).toThrow(/29 replicas/);
  });
});

describe('a handshake', () => {
  const hello: Hello = {
    role: Role.peer,
    protocolMin: 1,
    protocolMax: 3,
    formatMin: 1,
    formatMax: 2,
    clusterId: 'c'.repeat(32),
    storeId: 's1',
    incarnation: 'i1',
    address: '127.0.0.1:7401',
    lane: 2,
    addressBook: [{ storeId: 's2', incarnation: 'i', address: '', version: top }],
  };

  test('comes back as it was', () => {
    for (const one of [hello, { ...hello, role: Role.client, clusterId: '', addressBook: [] }]) {
      expect(readHello(written((out) => writeHello(out, one)))).toEqual(one);
    }
  });

  test('of a later protocol may have more behind it', () => {
    const bytes = written((out) => writeHello(out, hello));
    expect(readHello(new Uint8Array([...bytes, 1, 2, 3]))).toEqual(hello);
  });

  test('of an unknown role cannot be read', () => {
    const bytes = written((out) => writeHello(out, hello));
    bytes[0] = 9;
    expect(() => readHello(bytes)).toThrow(/unknown role 9/);
  });

  test('carries an address book of as many stores as a cluster may have, and no more', () => {
    const book = (count: number) =>
      Array.from({ length: count }, (_, at) => ({
        storeId: `s${at}`,
        incarnation: 'i',
        address: 'a',
        version: at,
      }));
    const read = (count: number) =>
      readAddressBook(new Reader(written((out) => writeAddressBook(out, book(count)))));
    expect(read(limits.storesMax)).toEqual(book(limits.storesMax));
    expect(() => read(limits.storesMax + 1)).toThrow(DecodeError);
  });

  test('is answered to a client with session and config', () => {
    const welcome = {
      protocol: 1,
      clusterId: 'c',
      storeId: 's1',
      session: new Uint8Array(16).fill(3),
      wallMs: 1_790_000_000_000.25,
      config: written((out) => writeConfig(out, configOf(8))),
    };
    expect(readClientWelcome(written((out) => writeClientWelcome(out, welcome)))).toEqual(welcome);
  });

  test('is refused with a code and a reason', () => {
    const refusal = { code: 'wrong-cluster', message: 'this store belongs to cluster x; check --join' };
    expect(readRefusal(written((out) => writeRefusal(out, refusal)))).toEqual(refusal);
  });
});

describe('consensus traffic', () => {
  const group = { gid: 5, incarnation: top };
  const message: Message = {
    kind: MessageKind.app,
    from: 1,
    to: top,
    term: top,
    logTerm: 2,
    index: 3,
    commit: 4,
    vote: 0,
    reject: true,
    rejectHint: 6,
    entries: [
      { index: 4, term: 2, kind: EntryKind.normal, data: utf8Encode('data') },
      { index: 5, term: 2, kind: EntryKind.confChangeV2, data: EMPTY_BYTES },
    ],
    snapshot: undefined,
    context: utf8Encode('round'),
    responses: [],
  };
  const confState = {
    voters: [1, 2, 3],
    votersOutgoing: [1],
    learners: [4],
    learnersNext: [],
    autoLeave: true,
  };
  const snapshot = { index: 9, term: 8, confState, data: utf8Encode('where') };

  test('comes back as it was, for every kind that travels', () => {
    for (let kind = MessageKind.app; kind <= MessageKind.timeoutNow; kind = (kind + 1) as typeof kind) {
      for (const one of [
        message,
        { ...message, entries: [], snapshot, reject: false, context: EMPTY_BYTES },
      ]) {
        const sent = { ...one, kind };
        const bytes = written((out) => writeRaftMessage(out, group, sent));
        const from = new Reader(bytes);
        expect(readRaftMessage(from)).toEqual({ group, message: sent });
        from.expectEnd();
        if (sent.snapshot === undefined) expect(bytes.length).toBeLessThanOrEqual(raftMessageBytes(sent));
      }
    }
  });

  test('of a kind that stays inside a process cannot be read', () => {
    for (const kind of [0, MessageKind.timeoutNow + 1, MessageKind.storageAppend]) {
      const bytes = written((out) => writeRaftMessage(out, group, { ...message, kind: kind as MessageKind }));
      expect(() => readRaftMessage(new Reader(bytes))).toThrow(/does not travel/);
    }
  });

  test('heartbeats and their answers come back as they were, for as many groups as a store may have', () => {
    const beat = { group, from: 1, to: 2, term: 3, commit: 4, leaderCommit: 5, context: utf8Encode('x') };
    const ack = { group, from: 2, to: 1, term: 3, round: 77, context: EMPTY_BYTES };
    for (const count of [0, 1, limits.groupsMax]) {
      const beats = Array.from({ length: count }, () => beat);
      expect(readBeats(written((out) => writeBeats(out, 77, beats)))).toEqual({ round: 77, beats });
      const acks = Array.from({ length: count }, () => ack);
      expect(readBeatAcks(written((out) => writeBeatAcks(out, acks)))).toEqual(acks);
    }
    const many = Array.from({ length: limits.groupsMax + 1 }, () => beat);
    expect(() => readBeats(written((out) => writeBeats(out, 77, many)))).toThrow(DecodeError);
  });

  test('a refused vote says how long the refusal lasts', () => {
    const refusal = { group, to: 3, remainingMs: 12.5 };
    expect(readVoteRefusal(written((out) => writeVoteRefusal(out, refusal)))).toEqual(refusal);
  });
});

describe('a snapshot stream', () => {
  const group = { gid: 1, incarnation: 2 };

  test('its offer, chunks and acknowledgements come back as they were', () => {
    const offer = { group, from: 1, to: 2, stream: top, term: 4, meta: utf8Encode('meta') };
    expect(readSnapshotOffer(written((out) => writeSnapshotOffer(out, offer)))).toEqual(offer);
    for (const last of [true, false]) {
      const chunk = { stream: 5, number: 0xffff_ffff, last, digest: 0xffff_fffe, items: utf8Encode('items') };
      expect(readSnapshotChunk(written((out) => writeSnapshotChunk(out, chunk)))).toEqual(chunk);
    }
    for (const verdict of Object.values(SnapshotVerdict)) {
      const ack = { stream: 5, number: 3, verdict };
      expect(readSnapshotAck(written((out) => writeSnapshotAck(out, ack)))).toEqual(ack);
    }
  });
});
