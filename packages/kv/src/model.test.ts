import { compareBytes, Prng, Reader, utf8Decode } from '@flotilla/base';
import {
  type Command,
  commandFault,
  Op,
  ReadKind,
  type Result,
  readEntryHead,
  readTimeBody,
  Status,
  sessionLimits,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { ReferenceShard } from './testing/reference.ts';
import { bytes, command, EPOCH, Rig, sessionOf } from './testing/rig.ts';
import { type SentBatch, Workload } from './testing/workload.ts';

const SHARDS = [0, 2];

class Comparison {
  readonly rig: Rig = Rig.serving(SHARDS);
  readonly shards: Map<number, ReferenceShard> = new Map(
    SHARDS.map((shard) => [shard, new ReferenceShard()]),
  );

  shard(number: number): ReferenceShard {
    return this.shards.get(number) as ReferenceShard;
  }

  apply(sent: SentBatch): void {
    const results = this.rig.batch(sent.commands, { session: sent.session, floor: sent.floor });
    sent.commands.forEach((one, at) => {
      const expected = this.#expect(one, sent);
      if (expected === undefined) expect(results[at]?.status).toBe(Status.refused);
      else expect(results[at]).toEqual(expected);
    });
  }

  #expect(one: Command, sent: SentBatch): Result | undefined {
    if (one.epoch !== EPOCH) return { status: Status.wrongGroup, gid: 7, epoch: EPOCH };
    if (commandFault(one) !== undefined) return undefined;
    return this.shard(one.shard).run(one, sent.session, sent.floor, this.rig.now);
  }

  keepUp(): void {
    const entry = this.rig.group.timeEntry(this.rig.now);
    if (entry === undefined) return;
    const shares = readTimeBody(new Reader(entry, readEntryHead(entry).bodyAt));
    this.rig.apply(entry);
    for (const { shard, items } of shares) this.shard(shard).removeDue(this.rig.now, items);
  }

  compare(): void {
    for (const [number, shard] of this.shards) {
      const status = [...this.rig.group.shards()].find((one) => one.shard === number);
      expect(status).toMatchObject({
        revision: shard.revision,
        recordCount: shard.records.size,
        recordBytes: [...shard.records].reduce((sum, [key, { value }]) => sum + key.length + value.length, 0),
        rowCount: shard.rows.size,
      });
      // The group's reads are as old as its log.
      const page = this.rig.read({ kind: ReadKind.scan, shard: number });
      expect(page).toEqual({
        status: Status.page,
        records: shard.visible(this.rig.group.lastStamp).map(([key, record]) => ({
          key: bytes(key),
          version: record.version,
          createVersion: record.createVersion,
          value: bytes(record.value),
        })),
        more: false,
      });
    }
  }
}

test.each([1, 2, 3, 4, 5, 6])('a group does what the reference does (seed %i)', (seed) => {
  const random = new Prng(seed);
  const workload = new Workload(random.fork('workload'), SHARDS);
  const comparison = new Comparison();
  for (let step = 0; step < 1500; step++) {
    comparison.apply(workload.batch(comparison.rig.now));
    if (random.chance(0.3)) comparison.rig.now += random.below(2000);
    if (random.chance(0.005)) comparison.rig.now += sessionLimits.life / 2;
    if (random.chance(0.05)) comparison.keepUp();
    if (random.chance(0.05)) comparison.rig.restart();
    if (step % 50 === 0) comparison.compare();
  }
  comparison.compare();
  for (const shard of comparison.shards.values()) {
    for (const [write, times] of shard.executions) expect(times, write).toBe(1);
  }
});

test.each([11, 12, 13])('acknowledged appends are there exactly once and in order (seed %i)', (seed) => {
  // Clients retry until they have an answer; copies arrive late and twice; the group restarts. No reference.
  const random = new Prng(seed);
  const rig = Rig.serving(SHARDS);
  const writers = Array.from({ length: 6 }, (_, number) => {
    return { number, session: sessionOf(rig.now, 100 + number), seq: 1, sent: [] as SentBatch[], done: 0 };
  });
  for (let step = 0; step < 4000; step++) {
    const writer = writers[random.below(writers.length)] as (typeof writers)[number];
    if (writer.sent.length > 0 && random.chance(0.3)) {
      const late = writer.sent[random.below(writer.sent.length)] as SentBatch;
      const answer = rig.batch(late.commands, { session: late.session, floor: late.floor });
      expect([Status.ok, Status.belowFloor]).toContain(answer[0]?.status);
    } else {
      const text = bytes(`${writer.number}:${writer.done};`);
      const one = command({
        op: Op.append,
        key: bytes('log'),
        shard: writer.number % 2 === 0 ? 0 : 2,
        value: text,
      });
      const sent = { commands: [one], session: writer.session, floor: writer.seq };
      writer.sent.push(sent);
      const copies = 1 + random.below(3);
      for (let copy = 0; copy < copies; copy++) {
        const answer = rig.batch(sent.commands, { session: sent.session, floor: sent.floor });
        expect(answer[0]?.status).toBe(Status.ok);
      }
      writer.seq++;
      writer.done++;
    }
    if (random.chance(0.02)) rig.restart();
  }
  for (const number of SHARDS) {
    const found = rig.get('log', number);
    const entries = 'value' in found ? utf8Decode(found.value).split(';').slice(0, -1) : [];
    for (const writer of writers.filter((one) => (one.number % 2 === 0 ? 0 : 2) === number)) {
      const own = entries.filter((entry) => entry.startsWith(`${writer.number}:`));
      expect(own).toEqual(Array.from({ length: writer.done }, (_, at) => `${writer.number}:${at}`));
    }
  }
});

test('the reference orders keys as the store does', () => {
  const keys = ['a', 'b', 'ba', 'c', 'd', '{a}x'];
  const asTexts = [...keys].sort();
  expect(asTexts.map(bytes)).toEqual(keys.map(bytes).sort(compareBytes));
});
