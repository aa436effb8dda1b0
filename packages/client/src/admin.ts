import {
  type AdminMethod,
  type AdminParams,
  type AdminResults,
  type ChangeResult,
  type ClusterConfig,
  type ClusterPolicy,
  CONFIG_SUMMARIES_MAX,
  type ConfigSummary,
  limits,
  type MoveProgress,
  readConfig,
  type StatusPage,
  shardOf,
} from '@flotilla/wire';
import type { ClientCore } from './core/index.ts';
import { errorOf, InvalidArgumentError, ProtocolError } from './errors.ts';
import { type CallOptions, checkSignal, timeoutOf, watchSignal } from './promised.ts';
import { type Bytes, keyOf, textOf, wholeNumber } from './values.ts';

/** Far more than a cluster has open and remembers. */
const MOVES_MAX = 16 * limits.shardCountMax;

export type ClusterStatus = Omit<StatusPage, 'next'>;

export interface PlanOptions extends CallOptions {
  /** Only tell what would happen: see `plan` of the result. */
  readonly plan?: boolean;
}

export interface MovesOptions extends CallOptions {
  /** Those that ended lately, too. */
  readonly all?: boolean;
}

/** All open moves that config ordered, or the one of them that moves `shard`. */
export type MoveName = number | { readonly moveId: number; readonly shard: number };

/** Where a key lives now. */
export interface KeyPlace {
  readonly key: string;
  readonly shard: number;
  /** 0 while no group owns the shard. */
  readonly gid: number;
  readonly epoch: number;
  /** Empty while no leader is known. */
  readonly leader: string;
  readonly replicas: readonly { readonly storeId: string; readonly address: string }[];
  readonly configNumber: number;
}

/** Questions and orders to the controller of the cluster. */
export class Admin {
  readonly #core: ClientCore;

  constructor(core: ClientCore) {
    this.#core = core;
  }

  /** Founds groups on stores: `join({ 3: ['s1', 's2', 's3'] })`. The same again is a success. */
  join(
    groups: Readonly<Record<number, readonly string[]>>,
    options: PlanOptions = {},
  ): Promise<ChangeResult> {
    const list = Object.entries(groups).map(([gid, stores]) => ({ gid: Number(gid), stores: [...stores] }));
    for (const { gid, stores } of list) {
      if (!Number.isSafeInteger(gid) || gid < 1)
        return refused(`a group id must be a whole number from 1 on, not ${gid}`);
      if (stores.length === 0) return refused(`group ${gid} needs at least one store`);
    }
    if (list.length === 0) return refused('join needs at least one group');
    return this.#call('join', { ...this.#plannedChange(options), groups: list }, options);
  }

  /** Takes groups out; their shards move to the others. */
  leave(gids: number | readonly number[], options: PlanOptions = {}): Promise<ChangeResult> {
    const list = typeof gids === 'number' ? [gids] : [...gids];
    if (list.length === 0) return refused('leave needs at least one group');
    return this.#call('leave', { ...this.#plannedChange(options), gids: list }, options);
  }

  /** Moves one shard to a group; balancing leaves it there until the next join or leave. */
  move(shard: number, gid: number, options: PlanOptions = {}): Promise<ChangeResult> {
    return this.#call('move', { ...this.#plannedChange(options), shard, gid }, options);
  }

  /** Evens out how many shards, and how much load, each group has. */
  rebalance(options: PlanOptions = {}): Promise<ChangeResult> {
    return this.#call('rebalance', this.#plannedChange(options), options);
  }

  /** Holds moves back until `resume`: the shard is served where it is. One that is frozen already goes on. */
  pause(move: MoveName, options: CallOptions = {}): Promise<ChangeResult> {
    return this.#call('pause', this.#named(move), options);
  }

  resume(move: MoveName, options: CallOptions = {}): Promise<ChangeResult> {
    return this.#call('resume', this.#named(move), options);
  }

  /** Leaves shards where they are. One that is frozen already goes on to its target. */
  cancel(move: MoveName, options: CallOptions = {}): Promise<ChangeResult> {
    return this.#call('cancel', this.#named(move), options);
  }

  /** Changes how the cluster treats its moves; what is not given stays as it is. */
  policy(change: Partial<ClusterPolicy>, options: CallOptions = {}): Promise<ChangeResult> {
    const { auto, moveBytesPerSecond, movesPerStore } = change;
    const requestId = this.#core.requestId();
    return this.#call('policy', { requestId, auto, moveBytesPerSecond, movesPerStore }, options);
  }

  /** Moves under way, by config and shard. */
  async moves(options: MovesOptions = {}): Promise<readonly MoveProgress[]> {
    // A move that ends between two pages may stand on both.
    const found = new Map<string, MoveProgress>();
    for (let after = ''; ; ) {
      const page = await this.#call('moves', { all: options.all === true, after }, options);
      for (const move of page.moves) found.set(`${move.moveId}/${move.shard}`, move);
      if (page.next === '') break;
      if (page.next === after || found.size > MOVES_MAX)
        throw new ProtocolError('the list of moves has no end: update the stores');
      after = page.next;
    }
    return [...found.values()].sort((left, right) => left.moveId - right.moveId || left.shard - right.shard);
  }

  /** Asks the leader of a group to hand over to the replica on that store; tells who leads afterwards. */
  transferLeader(
    gid: number,
    store: string,
    options: CallOptions = {},
  ): Promise<{ readonly leader: string }> {
    return this.#call('transferLeader', { requestId: this.#core.requestId(), gid, store }, options);
  }

  /** The config with that number, or the newest. */
  config(number?: number, options: CallOptions = {}): Promise<ClusterConfig> {
    return this.#call('config', { number }, options).then(({ config }) => readConfig(config));
  }

  /** What made each config, oldest first, from a number on. */
  configs(from = 0, limit: number = CONFIG_SUMMARIES_MAX, options: CallOptions = {}): Promise<ConfigPage> {
    const most = Math.min(wholeNumber(limit, 'limit', 1), CONFIG_SUMMARIES_MAX);
    return this.#call('configs', { from, limit: most }, options);
  }

  /** The whole cluster as it is now, problems first. */
  async status(options: CallOptions = {}): Promise<ClusterStatus> {
    const first = await this.#call('status', { after: '' }, options);
    const whole = {
      ...first,
      problems: [...first.problems],
      stores: [...first.stores],
      groups: [...first.groups],
      moves: [...first.moves],
    };
    for (let after = first.next; after !== ''; ) {
      const page = await this.#call('status', { after }, options);
      if (page.next === after)
        throw new ProtocolError('the status of the cluster has no end: update the stores');
      whole.problems.push(...page.problems);
      whole.stores.push(...page.stores);
      whole.groups.push(...page.groups);
      whole.moves.push(...page.moves);
      after = page.next;
    }
    const { next: _, ...status } = whole;
    return status;
  }

  /** Shard, group, leader and replicas of a key, from the newest config and the status. */
  async where(key: Bytes, options: CallOptions = {}): Promise<KeyPlace> {
    const bytes = keyOf(key);
    const [config, status] = await Promise.all([this.config(undefined, options), this.status(options)]);
    if (config.shards.length === 0) throw new InvalidArgumentError('the cluster has no shards yet');
    const shard = shardOf(bytes, config.shards.length, this.#core.ports.hasher);
    const { owner = 0, epoch = 0 } = config.shards[shard] ?? {};
    const group = config.groups.find(({ gid }) => gid === owner);
    const addresses = new Map(config.stores.map(({ storeId, address }) => [storeId, address]));
    return {
      key: textOf(bytes),
      shard,
      gid: owner,
      epoch,
      leader: status.groups.find(({ gid }) => gid === owner)?.leader ?? '',
      replicas: (group?.replicas ?? []).map(({ storeId }) => ({
        storeId,
        address: addresses.get(storeId) ?? '',
      })),
      configNumber: config.number,
    };
  }

  #plannedChange(options: PlanOptions): { readonly requestId: string; readonly plan: boolean } {
    return { requestId: this.#core.requestId(), plan: options.plan === true };
  }

  #named(move: MoveName): AdminParams['pause'] {
    const { moveId, shard } = typeof move === 'number' ? { moveId: move, shard: undefined } : move;
    return { requestId: this.#core.requestId(), moveId, shard };
  }

  #call<M extends AdminMethod>(
    method: M,
    params: AdminParams[M],
    options: CallOptions,
  ): Promise<AdminResults[M]> {
    return new Promise((resolve, reject) => {
      checkSignal(options.signal);
      let unwatch: (() => void) | undefined;
      let isOver = false;
      const deadlineMs = this.#core.deadlineMs(timeoutOf(options));
      const call = this.#core.admin(method, params, deadlineMs, (ended) => {
        isOver = true;
        unwatch?.();
        if (ended.failure !== undefined) reject(errorOf(ended.failure));
        else resolve(ended.result as AdminResults[M]);
      });
      if (!isOver) unwatch = watchSignal(options.signal, call);
    });
  }
}

export interface ConfigPage {
  readonly configs: readonly ConfigSummary[];
  readonly more: boolean;
}

function refused(message: string): Promise<never> {
  return Promise.reject(new InvalidArgumentError(message));
}
