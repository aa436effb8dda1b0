import { compareBytes, hexEncode, Prng, Writer, Xxh64 } from '@flotilla/base';
import {
  AskKind,
  ItemKind,
  MoveAnswer,
  type MoveEntry,
  type MoveOutcome,
  MoveStep,
  sealDelta,
  sealPage,
  sessionLimits,
  Verdict,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { prepareBatch } from './prepare.ts';
import { ShardState } from './shard.ts';
import type { StagingStatus } from './shard-status.ts';
import {
  changeIndexOf,
  contentOf,
  deltaIn,
  digestsOf,
  itemsIn,
  itemText,
  pageIn,
  revisionOf,
  type SeenItem,
  storedUnder,
} from './testing/contents.ts';
import { LoggedGroup } from './testing/logged-group.ts';
import type { Rig } from './testing/rig.ts';
import { encode, Workload } from './testing/workload.ts';

// The promise of `pos`: every item staged so far equals the source's present item, or the source's present
// revision of it is above `pos`. Here under random writes, with pages and changes from replicas that lag
// behind, cut wherever they may be cut, lost, doubled and late; with trimmed indexes, copies that begin anew,
// and restarts.

const M = 10;
const OF = { moveId: M, shard: 0 };

interface Known {
  readonly revision: number;
  /** Undefined: gone. */
  readonly stored: string | undefined;
}

class World {
  readonly random: Prng;
  readonly source: LoggedGroup = new LoggedGroup(7, [1, 1 << 20, 1 << 20]);
  readonly target: LoggedGroup = new LoggedGroup(8, [1 << 20, 1]);
  readonly workload: Workload;
  now = 1_000_000;
  /** Index of the `BeginExport` entry, under which the change index lies. */
  exportedAt = 0;
  /** Every item that the source ever had, by its last change. */
  readonly history: Map<string, Known> = new Map();
  /** Steps that were sent and may come again. */
  readonly sent: MoveEntry[] = [];
  restartsOfCopy = 0;

  constructor(seed: number) {
    this.random = new Prng(seed);
    this.workload = new Workload(this.random.fork('workload'), [0]);
    this.sourceStep({ step: MoveStep.activateEmpty, moveId: 1, shard: 0, epoch: 1 });
  }

  sourceStep(step: MoveEntry): MoveOutcome {
    return this.source.step(step, this.now);
  }

  targetStep(step: MoveEntry): MoveOutcome {
    return this.target.step(step, this.now);
  }

  get revision(): number {
    return this.source.newest.group.shard(0)?.revision ?? 0;
  }

  get staging(): StagingStatus | undefined {
    return this.target.newest.group.shard(0)?.staging;
  }

  write(): void {
    const { random } = this;
    if (random.chance(0.3)) this.now += random.below(3000);
    if (random.chance(0.01)) this.now += sessionLimits.life / 2;
    const upkeep = random.chance(0.2) ? this.source.newest.group.timeEntry(this.now) : undefined;
    if (upkeep !== undefined) this.#propose(upkeep);
    const sent = this.workload.batch(this.now);
    // One command in an entry, so that each revision can be told from the next.
    for (const command of sent.commands) {
      const entry = encode({ ...sent, commands: [command] });
      expect(prepareBatch(entry, this.now)).toBeUndefined();
      this.#propose(entry);
    }
  }

  #propose(entry: Uint8Array): void {
    this.source.propose(entry);
    this.#remember();
  }

  /** Notes what became of each item, as only somebody who watches every entry can know it. */
  #remember(): void {
    const { revision } = this;
    const present = presentIn(this.source.newest);
    for (const [item, known] of present) this.history.set(item, known);
    for (const [item, known] of this.history) {
      if (!present.has(item) && known.stored !== undefined)
        this.history.set(item, { revision, stored: undefined });
    }
  }

  /** Any replica, brought on a little, restarted now and then. */
  someReplica(group: LoggedGroup): Rig {
    const { random } = this;
    const replica = group.replicas[random.below(group.replicas.length)] as Rig;
    if (random.chance(0.7)) group.advance(replica, random.below(30));
    if (random.chance(0.1)) replica.restart();
    else if (random.chance(0.2)) replica.group.flush();
    return replica;
  }

  /** A page of the range at a cursor, as long as chance has it. */
  page(replica: Rig, cursor: Uint8Array, minView: number): MoveEntry | undefined {
    const reply = replica.group.answer({ kind: AskKind.page, ...OF, cursor, minView });
    if (reply.verdict !== Verdict.page) return undefined;
    const page = pageIn(reply.page);
    const items = itemsIn(page.items);
    expect(reply.openBytes).toBeGreaterThanOrEqual(0);
    const count = this.random.below(items.length + 1);
    const next = items[count];
    if (next === undefined || (count === 0 && this.random.chance(0.9))) {
      return { step: MoveStep.importChunk, ...OF, page: reply.page };
    }
    const nextCursor = Uint8Array.of(next.kind, ...next.name);
    if (compareBytes(nextCursor, cursor) <= 0) return undefined;
    const cut = { ...page, items: encodeItems(items.slice(0, count)), next: nextCursor, isLast: false };
    return { step: MoveStep.importChunk, ...OF, page: sealPage(cut, new Xxh64()) };
  }

  /** Changes after a revision, cut at any one that they pass. */
  delta(replica: Rig, from: number): MoveEntry | 'gone' | undefined {
    const reply = replica.group.answer({ kind: AskKind.changes, ...OF, from });
    if (reply.verdict === Verdict.gone) return 'gone';
    if (reply.verdict !== Verdict.changes || reply.delta.length === 0) return undefined;
    const delta = deltaIn(reply.delta);
    expect(delta.to).toBeLessThanOrEqual(replica.group.shard(0)?.revision ?? 0);
    if (this.random.chance(0.5)) return { step: MoveStep.importDelta, ...OF, delta: reply.delta };
    const to = from + 1 + this.random.below(delta.to - from);
    // What was changed again later may be left out, and may as well be there.
    const items = itemsIn(delta.items).filter(({ revision }) => revision <= to || this.random.chance(0.5));
    const cut = sealDelta({ ...delta, to, items: encodeItems(items) }, new Xxh64());
    return { step: MoveStep.importDelta, ...OF, delta: cut };
  }

  beginImport(base: number): void {
    this.targetStep({
      step: MoveStep.beginImport,
      ...OF,
      epoch: 2,
      sourceGid: 7,
      sourceIncarnation: 1,
      base,
    });
  }

  /** What a leader of the target would do next, more or less. */
  pull(): void {
    const { staging, random } = this;
    if (staging === undefined) return;
    const replica = this.someReplica(this.source);
    const isCareless = random.chance(0.1);
    let step: MoveEntry | 'gone' | undefined;
    if (!staging.isComplete && random.chance(0.6)) {
      // A careless driver asks for less than it needs, and the group has to notice.
      step = this.page(replica, staging.cursor, isCareless ? 0 : staging.pos);
    } else {
      const from = isCareless ? random.below(staging.pos + 1) : staging.pos;
      step = this.delta(replica, from);
      if (step === 'gone' && !isCareless) {
        this.restartsOfCopy++;
        this.beginImport(this.source.newest.group.shard(0)?.openExport?.r0 ?? 0);
      }
    }
    if (typeof step !== 'object') return;
    this.sent.push(step);
    if (random.chance(0.8)) this.targetStep(step);
  }

  comeAgain(): void {
    const { sent, random } = this;
    if (sent.length > 0) this.targetStep(sent[random.below(sent.length)] as MoveEntry);
  }

  checkPromise(): void {
    const { staging } = this;
    if (staging === undefined) return;
    const staged = presentIn(this.target.newest);
    for (const [item, known] of this.history) {
      if (!isBefore(item, staging.cursor)) {
        expect(staged.has(item), 'an item beyond the cursor is staged').toBe(false);
        continue;
      }
      const isEqual = staged.get(item)?.stored === known.stored;
      expect(isEqual || known.revision > staging.pos, `${item}: ${JSON.stringify(known)}`).toBe(true);
    }
    for (const item of staged.keys()) expect(this.history.has(item)).toBe(true);
    expect(this.target.newest.group.digest(0)).toEqual(digestsOf(this.target.newest, 0));
  }

  /** Every change after r0 is in the index of every replica, and the index weighs what it says. */
  checkIndex(replica: Rig): void {
    const status = replica.group.shard(0);
    if (status?.openExport === undefined || replica.index < this.exportedAt) return;
    const { r0 } = status.openExport;
    const entries = changeIndexOf(replica, 0, this.exportedAt);
    const bytes = replica.group.shard(0)?.openExport?.bytes;
    expect(entries.reduce((sum, entry) => sum + entry.weight, 0)).toBe(bytes);
    const noted = new Set(entries.map(({ revision, item }) => `${item}@${revision}`));
    for (const [item, { revision }] of presentIn(replica)) {
      if (revision > r0) expect(noted.has(`${item}@${revision}`), `${item}@${revision}`).toBe(true);
    }
    if (replica !== this.source.newest) return;
    for (const [item, { revision }] of this.history) {
      if (revision > r0) expect(noted.has(`${item}@${revision}`), `${item}@${revision}`).toBe(true);
    }
  }
}

/** Stored records and rows of the shard's copy. */
function presentIn(rig: Rig): Map<string, Known> {
  const generation = rig.group.shard(0)?.generation ?? 0;
  const items = new Map<string, Known>();
  for (const { kind, name, value } of storedUnder(rig, 0, generation)) {
    if (kind !== ItemKind.record && kind !== ItemKind.row) continue;
    items.set(itemText(kind, name), { revision: revisionOf(kind, value), stored: hexEncode(value) });
  }
  return items;
}

/** Item texts begin with their kind, as cursors do. */
function isBefore(item: string, cursor: Uint8Array): boolean {
  const [kind, name] = item.split(' ') as [string, string];
  const position = `0${kind}${name}`;
  return position < hexEncode(cursor);
}

function encodeItems(items: readonly SeenItem[]): Uint8Array {
  const out = new Writer(256);
  for (const { kind, name, stored, revision } of items) {
    out.u8(stored === undefined ? kind + 2 : kind);
    out.bytes16(name);
    if (stored === undefined) out.u53(revision);
    else out.bytes32(stored);
  }
  return out.finish();
}

const restarts: number[] = [];

test.each(Array.from({ length: 60 }, (_, seed) => seed + 1))(
  'what is staged is the present state, or will be told (seed %i)',
  (seed) => {
    const world = new World(seed);
    const { random, source, target } = world;
    for (let count = random.below(30); count > 0; count--) world.write();
    world.sourceStep({ step: MoveStep.beginExport, ...OF, epoch: 2 });
    world.exportedAt = source.newest.index;
    world.beginImport(world.revision);

    for (let turn = 0; turn < 150; turn++) {
      const dice = random.below(100);
      if (dice < 45) world.write();
      else if (dice < 85) world.pull();
      else if (dice < 92) world.comeAgain();
      else if (dice < 94) {
        const to = random.below(world.revision + 2);
        world.sourceStep({ step: MoveStep.trimExport, ...OF, to });
      } else world.someReplica(target);
      if (turn % 3 === 0) world.checkPromise();
      if (turn % 10 === 0) for (const replica of source.replicas) world.checkIndex(replica);
    }
    restarts.push(world.restartsOfCopy);

    // Writers go on until the very end; the copy has to come through all the same.
    for (let turn = 0; !isDone(world); turn++) {
      expect(turn, 'the move does not end').toBeLessThan(500);
      if (turn < 20 && source.newest.group.shard(0)?.state === ShardState.serving) world.write();
      if (turn > 50) source.catchUp();
      world.pull();
      world.checkPromise();
      world.comeAgain();
    }
    expect(target.newest.group.shard(0)).toMatchObject({
      state: ShardState.serving,
      revision: world.revision,
    });
    expect(contentOf(target.newest, 0)).toEqual(contentOf(source.newest, 0));
    expect(target.newest.group.digest(0)).toEqual(digestsOf(target.newest, 0));
    expect(target.newest.group.shard(0)).toMatchObject(counts(source.newest));
    // All replicas of both groups hold the same bytes, whatever they wrote back when.
    for (const group of [source, target]) {
      group.catchUp();
      for (const replica of group.replicas) {
        replica.group.durable(replica.index);
        expect(replica.dump()).toEqual(group.newest.dump());
        expect([...replica.group.shards()]).toEqual([...group.newest.group.shards()]);
      }
    }
  },
);

test('copies had to begin anew in some of them', () => {
  expect(restarts.filter((count) => count > 0).length).toBeGreaterThan(5);
});

function counts(rig: Rig): object {
  const { recordCount, recordBytes, rowCount } = rig.group.shard(0) ?? {};
  return { recordCount, recordBytes, rowCount };
}

/** Freezes as soon as the copy is whole, and activates as soon as it is at the end. */
function isDone(world: World): boolean {
  const { staging } = world;
  if (staging === undefined) return world.target.newest.group.shard(0)?.state === ShardState.serving;
  if (!staging.isComplete) return false;
  const { pos } = staging;
  const outcome = world.sourceStep({ step: MoveStep.freeze, ...OF, epoch: 2, pos, target: 8 });
  if (outcome.answer !== MoveAnswer.frozen) return false;
  if (outcome.delta.length > 0 && world.random.chance(0.3)) {
    world.targetStep({ step: MoveStep.importDelta, ...OF, delta: outcome.delta });
  }
  const activated = world.targetStep({ step: MoveStep.activate, ...OF, ...outcome.facts });
  expect(activated.answer).not.toBe(MoveAnswer.digest);
  return activated.answer === MoveAnswer.active;
}
