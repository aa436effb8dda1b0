import { assert, hexEncode, prefixEnd, Writer } from '@flotilla/base';
import { type ClusterConfig, MovePhase, type StoreRecord } from '@flotilla/wire';
import { type ControllerAnswer, decodeControllerAnswer } from '../answer.ts';
import { type ControllerCommand, encodeControllerEntry, type ReportedMove } from '../command.ts';
import { ControllerGroup } from '../controller-group.ts';
import { stampControllerEntry } from '../format.ts';
import { homeOf } from '../intents.ts';
import { jsonCodec } from './json-codec.ts';
import { OrderedStore } from './ordered-store.ts';

export interface BenchOptions {
  readonly prefix?: Uint8Array;
}

/** One replica of the controller group, driven command by command. */
export class ControllerBench {
  readonly store: OrderedStore = new OrderedStore();
  readonly prefix: Uint8Array;
  group: ControllerGroup;
  index = 0;
  stamp = 1_000_000;

  constructor(options: BenchOptions = {}) {
    this.prefix = options.prefix ?? Uint8Array.of(7, 0, 255);
    this.group = this.#open();
  }

  #open(): ControllerGroup {
    const group = new ControllerGroup({ store: this.store, prefix: this.prefix, codec: jsonCodec });
    group.load();
    return group;
  }

  /** As after a restart: everything in memory is forgotten. */
  reload(): void {
    this.group.flush();
    this.group = this.#open();
  }

  get config(): ClusterConfig {
    return this.group.config;
  }

  run(command: ControllerCommand, requestId = '', author = 'tester'): ControllerAnswer {
    const entry = encodeControllerEntry(jsonCodec, command, requestId, author);
    stampControllerEntry(entry, this.stamp);
    return this.apply(entry);
  }

  apply(entry: Uint8Array): ControllerAnswer {
    const out = new Writer();
    this.index++;
    this.group.apply(this.index, entry, out);
    return decodeControllerAnswer(jsonCodec, out.finish());
  }

  /** Runs a command that must succeed. */
  ok(command: ControllerCommand, requestId = ''): ControllerAnswer & { readonly ok: true } {
    const answer = this.run(command, requestId);
    assert(answer.ok, () => `refused: ${answer.message}`);
    return answer;
  }

  /** Founds a cluster whose controller runs on the first three of the stores `s1` to `s<count>`. */
  found(shardCount: number, count = 3): void {
    const stores = Array.from({ length: count }, (_, at) => storeRecord(`s${at + 1}`));
    const replicas = stores.slice(0, 3).map((store, at) => ({
      raftId: at + 1,
      storeId: store.storeId,
      storeIncarnation: store.incarnation,
    }));
    this.ok({ kind: 'found', clusterId: 'c1', shardCount, replicas, stores });
  }

  join(groups: { readonly [gid: number]: string }, requestId = ''): ControllerAnswer {
    return this.run(joinCommand(groups), requestId);
  }

  /** All open moves. */
  open(): readonly ReportedMove[] {
    return this.config.shards.flatMap(({ intent }, shard) =>
      intent === undefined ? [] : [{ shard, moveId: intent.moveId }],
    );
  }

  /** Reports all open moves as done, in one command. */
  doneAll(): void {
    const moves = this.open();
    if (moves.length > 0) this.ok({ kind: 'done', moves });
  }

  /** Ends all open moves, those that are to be cancelled as cancelled, until none is left. */
  settleAll(): void {
    for (let round = 0; this.open().length > 0; round++) {
      assert(round < 8, 'open moves end');
      const phaseOf = (move: ReportedMove) => this.config.shards[move.shard]?.intent?.phase;
      const cancelled = this.open().filter((move) => phaseOf(move) === MovePhase.cancelling);
      if (cancelled.length > 0) this.ok({ kind: 'cancelled', moves: cancelled });
      this.doneAll();
    }
  }

  /** Shards by the group that will hold them. */
  sizes(): Readonly<Record<number, number>> {
    const sizes: Record<number, number> = {};
    for (const group of this.config.groups) sizes[group.gid] = 0;
    for (const shard of this.config.shards) {
      const gid = homeOf(shard);
      sizes[gid] = (sizes[gid] ?? 0) + 1;
    }
    return sizes;
  }

  /** The whole stored state as text, for comparison. */
  state(): readonly string[] {
    const rows = this.store.rowsBelow(this.prefix, prefixEnd(this.prefix));
    return rows.map(({ key, value }) => `${hexEncode(key)}=${hexEncode(value)}`);
  }
}

/** The refusal, after making sure that it changed nothing. */
export function refusedBy(
  bench: ControllerBench,
  act: () => ControllerAnswer,
): ControllerAnswer & { readonly ok: false } {
  const before = bench.config;
  const answer = act();
  assert(bench.config === before, 'a refusal changes nothing');
  assert(bench.group.configAt(before.number + 1) === undefined, 'a refusal makes no config');
  assert(!answer.ok, () => `not refused: ${answer.message}`);
  return answer;
}

export function storeRecord(storeId: string, incarnation = `${storeId}-a`): StoreRecord {
  return { storeId, incarnation, address: `${storeId}:7400`, addressVersion: 1, zone: '' };
}

/** `{ 3: 's1 s2 s3' }` */
export function joinCommand(groups: { readonly [gid: number]: string }): ControllerCommand {
  return {
    kind: 'join',
    groups: Object.entries(groups).map(([gid, stores]) => ({
      gid: Number(gid),
      stores: stores.split(' ').filter((store) => store !== ''),
    })),
  };
}
