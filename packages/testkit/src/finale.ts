import { assert } from '@flotilla/base';
import type { AdminMethod, AdminParams, ClusterConfig } from '@flotilla/wire';
import { CheckFailure } from './checkers/failure.ts';
import { findLeftovers } from './leftovers.ts';
import type { SimCluster } from './sim-cluster.ts';
import { SimRead } from './workload/calls.ts';
import { allKeys, type KeySpace } from './workload/keys.ts';
import type { Recorder } from './workload/recorder.ts';
import { openMoves } from './workload/wishes.ts';
import type { SimClient } from './world/sim-client.ts';

/** Everything must be well again this long after the last fault, and each thing that is asked for be done. */
const LIVENESS_MS = 30_000;
assert(LIVENESS_MS >= 10_000, 'elections need their time');
/** Everything that is stored is looked through each time. */
const LEFTOVERS_LOOK_MS = 500;
/** A group that joins at the end, so that what was placed by hand is balanced, too. */
const LAST_GID = 9_999;

export interface FinaleParts {
  readonly cluster: SimCluster;
  readonly recorder: Recorder;
  readonly keys: KeySpace;
}

/** After the last fault: in bounded time everything comes to rest, and nothing is left of what went on before. */
export class Finale {
  readonly #cluster: SimCluster;
  readonly #recorder: Recorder;
  readonly #keys: KeySpace;
  readonly #client: SimClient;

  constructor({ cluster, recorder, keys }: FinaleParts) {
    this.#cluster = cluster;
    this.#recorder = recorder;
    this.#keys = keys;
    this.#client = cluster.addClient('last', LIVENESS_MS);
  }

  /** Every call is answered, and then every key can be read. */
  answer(callers: readonly { readonly isBusy: boolean }[]): void {
    const busy = (): number => callers.filter((caller) => caller.isBusy).length;
    this.#within(
      () => busy() === 0,
      () => `${busy()} calls had no answer`,
    );
    const keys = allKeys(this.#keys);
    let left = keys.length;
    for (const key of keys) this.#readAtLast(key, () => left--);
    this.#within(
      () => left === 0,
      () => `${left} of ${keys.length} keys could not be read`,
    );
  }

  #readAtLast(key: string, done: () => void): void {
    const { core } = this.#client;
    const open = this.#recorder.invoke('last', key, { kind: 'get' });
    const deadlineMs = core.deadlineMs(LIVENESS_MS);
    core.submit(
      new SimRead(key, deadlineMs, (outcome) => {
        this.#recorder.respond(open, outcome);
        if (outcome.kind !== 'not-applied') done();
      }),
    );
  }

  /** All moves end. */
  endMoves(): void {
    this.#ask('policy', { auto: false, moveBytesPerSecond: 0, movesPerStore: 4 });
    for (const { moveId, shard, paused } of openMoves(this.#config)) {
      if (paused) this.#ask('resume', { moveId, shard });
    }
    this.#movesEnd();
    this.#cluster.world.events.tell('all moves have ended');
  }

  /** A group joins, and then all groups are balanced. */
  balance(): void {
    const stores = this.#cluster.stores.map((store) => store.id).slice(0, 3);
    this.#ask('join', { plan: false, groups: [{ gid: LAST_GID, stores }] });
    this.#movesEnd();
    this.#ask('rebalance', { plan: false });
    this.#movesEnd();
    this.#checkBalance();
    this.#cluster.world.events.tell('all groups are balanced');
  }

  #movesEnd(): void {
    const open = (): string[] =>
      openMoves(this.#config).map(({ moveId, shard }) => `${moveId} of shard ${shard}`);
    this.#within(
      () => open().length === 0,
      () => `moves are still open: ${open().join(', ')}`,
    );
  }

  #checkBalance(): void {
    const { groups, shards } = this.#config;
    const counts = groups.map(({ gid }) => shards.filter((shard) => shard.owner === gid).length);
    if (Math.max(...counts) - Math.min(...counts) <= 1) return;
    const words = groups.map(({ gid }, at) => `group ${gid} has ${counts[at]}`).join(', ');
    throw new CheckFailure('balance', `after a rebalance that is done ${words}`);
  }

  get #config(): ClusterConfig {
    const config = this.#cluster.newestConfig();
    assert(config !== undefined, 'the cluster was founded');
    return config;
  }

  #ask<M extends AdminMethod>(method: M, params: Omit<AdminParams[M], 'requestId'>): void {
    const trouble = this.#cluster.ask(this.#client, method, params, LIVENESS_MS);
    if (trouble !== undefined) this.#fail(`${method} was not granted (${trouble})`);
  }

  /**
   * All stores know the same config, have the replicas that it gives them and no others, and come to the same
   * index in each group; on the way there the checker compares their states.
   */
  converge(): void {
    this.#within(
      () => this.#isEqual(),
      () => 'the stores do not come to one state',
    );
  }

  #isEqual(): boolean {
    const { stores } = this.#cluster;
    const newest = Math.max(...stores.map((store) => store.node?.config.number ?? 0));
    const applied = new Map<string, number>();
    for (const { node, id, losses } of stores) {
      if (node === undefined || node.config.number !== newest) return false;
      const { groups, controller } = node.config;
      const own = [controller, ...groups].filter((group) =>
        group.replicas.some((place) => place.storeId === id && this.#cluster.isSound(place, group)),
      );
      const replicas = [...node.host.replicas()];
      const sound = replicas.filter(({ name }) => !losses.hasLost(name));
      if (sound.length !== own.length) return false;
      for (const { gid } of own) if (node.host.replica(gid) === undefined) return false;
      for (const { name, applied: at, raft, broken } of replicas) {
        // Whoever lost something may stop, and as long as it has not it keeps up.
        if (broken !== undefined && losses.hasLost(name)) continue;
        if (raft.leaderId === 0 || (applied.get(name) ?? at.index) !== at.index) return false;
        applied.set(name, at.index);
      }
    }
    return true;
  }

  /** Whoever owns a shard serves it, nobody else knows more of it than its fence, and nothing else is stored. */
  checkLeftovers(): void {
    let found = '';
    this.#within(
      () => {
        found = this.#cluster.stores.map((store) => findLeftovers(store, this.#config)).join('');
        return found === '';
      },
      () => found,
      LEFTOVERS_LOOK_MS,
    );
  }

  #within(isDone: () => boolean, what: () => string, everyMs = 20): void {
    if (!this.#cluster.world.waitFor(isDone, LIVENESS_MS, everyMs)) this.#fail(what());
  }

  #fail(what: string): never {
    const after = `${LIVENESS_MS / 1000} s after nothing was in the way any more`;
    throw new CheckFailure('liveness', `${what} ${after}`, this.#cluster.describe());
  }
}
