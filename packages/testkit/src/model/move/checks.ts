import { ShardState } from '@flotilla/kv';
import { PairTable } from '../pair-table.ts';
import type { Fault } from '../search.ts';
import { brokenPromise, SHARD } from './group-facts.ts';
import { STAMP, stateWords } from './group-machine.ts';
import { readsText } from './ledger.ts';
import { asFault, gidOf, type MoveModel, placeOf } from './move-model.ts';
import { Flag } from './moves.ts';
import { contentReads, KEYS } from './writes.ts';

/** What must hold in every state of the model, whatever led to it. */
export class Checks {
  readonly #model: MoveModel;
  /** By history: number of the records and rows that the writes of it leave. */
  readonly #contents: number[] = [];
  /** By state of a group: what reads of all keys show. */
  readonly #shown: string[] = [];
  readonly #promises = new PairTable();
  readonly #broken: (string | undefined)[] = [];

  constructor(model: MoveModel) {
    this.#model = model;
  }

  /** What is broken; undefined if everything holds. */
  fault(row: Uint32Array): Fault | undefined {
    const { layout } = this.#model;
    let server: number | undefined;
    for (let place = 0; place < layout.groups; place++) {
      if (this.#model.facts(row, place).state !== ShardState.serving) continue;
      if (server !== undefined)
        return {
          harm: 'two groups serve',
          what: `groups ${gidOf(server)} and ${gidOf(place)} both serve the shard`,
        };
      server = place;
    }
    return this.#contentFault(row, server) ?? this.#configFault(row, server) ?? this.#promiseFault(row);
  }

  /** What is wrong about a state that live drivers do not get out of. */
  deadEnd(row: Uint32Array): Fault {
    const { layout } = this.#model;
    const { owner } = this.#model.config(row).shards[SHARD] ?? {};
    for (let place = 0; place < layout.groups; place++) {
      if (this.#model.facts(row, place).state !== ShardState.serving || gidOf(place) !== owner) continue;
      return { harm: 'never cleaned up', what: 'a dead end: no driver gets rid of what is left over' };
    }
    return { harm: 'nobody serves', what: 'a dead end: no driver brings the shard to where it belongs' };
  }

  /** Somebody holds what was written, and whoever serves holds exactly that. */
  #contentFault(row: Uint32Array, server: number | undefined): Fault | undefined {
    const { groups, layout, ledger } = this.#model;
    const { history, events } = ledger.account(row[layout.account] as number);
    if (server !== undefined) {
      const state = row[layout.group(server)] as number;
      const shown = this.#readsFault(row, state);
      if (shown !== undefined) return { harm: 'wrong content', what: shown };
      this.#contents[history] ??= groups.content(state);
      if (this.#contents[history] === groups.content(state)) return undefined;
      return asFault(
        `group ${gidOf(server)} serves, and not exactly the records and session rows that writes left`,
      );
    }
    if (events.length === 0 && !this.#hasBegun(row)) return undefined;
    for (let place = 0; place < layout.groups; place++) {
      const state = row[layout.group(place)] as number;
      const isFrozen = groups.facts(state).state === ShardState.frozen;
      if (isFrozen && this.#contents[history] === groups.content(state)) return undefined;
    }
    return { harm: 'content lost', what: 'no group holds what was written' };
  }

  #hasBegun(row: Uint32Array): boolean {
    const count = this.#model.moveCount(row);
    for (let at = 0; at < count; at++) if (this.#model.hasFlag(row, at, Flag.served)) return true;
    return false;
  }

  #readsFault(row: Uint32Array, state: number): string | undefined {
    const { bounds, groups, layout, ledger } = this.#model;
    const { status, lastStamp } = groups.facts(state);
    const now = (Math.max(status?.timeFloor ?? 0, lastStamp) - STAMP) / bounds.unitMs;
    let shown = this.#shown[state];
    if (shown === undefined) {
      const reads = contentReads.map((read) => ({ ...read, epoch: status?.epoch ?? 0 }));
      shown = readsText(KEYS, groups.reads(state, reads));
      this.#shown[state] = shown;
    }
    const wanted = ledger.reads(row[layout.account] as number, KEYS, now);
    return shown === wanted ? undefined : `reads show "${shown}", and the writes left "${wanted}"`;
  }

  /** Without an open move the owner that the config names serves, at its epoch. */
  #configFault(row: Uint32Array, server: number | undefined): Fault | undefined {
    const record = this.#model.config(row).shards[SHARD];
    if (record === undefined || record.intent !== undefined || record.owner === 0) return undefined;
    const place = placeOf(record.owner);
    const { status } = this.#model.facts(row, place);
    if (server === place && status?.epoch === record.epoch) return undefined;
    const is = status === undefined ? 'Absent' : `${stateWords[status.state]} at epoch ${status.epoch}`;
    const what = `the config says that group ${record.owner} serves at epoch ${record.epoch}, and it is ${is}`;
    return { harm: 'nobody serves', what };
  }

  /** What is staged keeps the promise of its position, against the source as it is now. */
  #promiseFault(row: Uint32Array): Fault | undefined {
    const { bounds, groups, layout } = this.#model;
    if (bounds.damages > 0) return undefined;
    const count = this.#model.moveCount(row);
    for (let at = 0; at < count; at++) {
      const { moveId, source, target } = this.#model.move(row, at);
      if (source === undefined) continue;
      const from = row[layout.group(source)] as number;
      const to = row[layout.group(target)] as number;
      const staged = groups.facts(to).status;
      if (staged?.staging === undefined || staged.moveId !== moveId) continue;
      if (groups.facts(from).status?.openExport?.moveId !== moveId) continue;
      const fault = this.#promise(from, to);
      if (fault !== undefined)
        return asFault(`the promise of pos is broken in group ${gidOf(target)}: ${fault}`);
    }
    return undefined;
  }

  #promise(from: number, to: number): string | undefined {
    const known = this.#promises.get(from, to);
    if (known !== undefined) return this.#broken[known];
    const { groups } = this.#model;
    this.#promises.set(from, to, this.#broken.length);
    const fault = brokenPromise(groups.facts(from), groups.facts(to));
    this.#broken.push(fault);
    return fault;
  }
}
