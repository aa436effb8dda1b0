import { Xxh64 } from '@flotilla/base';
import type { Db } from '@flotilla/client';
import { type ClusterConfig, shardOf } from '@flotilla/wire';
import { until } from './waits.ts';

/** Who has which shards, where keys lie, and when all moves are over. */

const hasher = new Xxh64();

export function shardOfKey(key: string, shardCount: number): number {
  return shardOf(new TextEncoder().encode(key), shardCount, hasher);
}

/** A hash tag whose keys all lie in that shard. */
export function tagOf(shard: number, shardCount: number): string {
  for (let at = 0; ; at++) {
    const tag = `{t${at}}`;
    if (shardOfKey(tag, shardCount) === shard) return tag;
  }
}

/** Shards that a group owns. */
export function shardsOf(config: ClusterConfig, gid: number): number[] {
  return config.shards.flatMap(({ owner }, shard) => (owner === gid ? [shard] : []));
}

/** How many shards each group owns, by gid. */
export function ownedCounts(config: ClusterConfig): Record<number, number> {
  return Object.fromEntries(config.groups.map(({ gid }) => [gid, shardsOf(config, gid).length]));
}

export function openMoves(config: ClusterConfig): number {
  return config.shards.filter(({ intent }) => intent !== undefined).length;
}

/** The config in which no move is open any more, no shard is without owner and no group is leaving. */
export function settled(db: Db, patienceMs = 30_000): Promise<ClusterConfig> {
  return until(
    'the end of all moves',
    async () => {
      const config = await db.admin.config();
      const isAtRest = openMoves(config) === 0 && config.shards.every(({ owner }) => owner !== 0);
      return isAtRest && config.groups.every(({ leaving }) => !leaving) ? config : undefined;
    },
    patienceMs,
  );
}

/** The store that leads a group; 0 is the controller's. */
export function leaderOf(db: Db, gid: number): Promise<string> {
  return until(`a leader of group ${gid}`, async () => {
    const { groups } = await db.admin.status();
    const leader = groups.find((group) => group.gid === gid)?.leader ?? '';
    return leader === '' ? undefined : leader;
  });
}

/** All configs from one number to another, both included. */
export function history(db: Db, from: number, to: number): Promise<ClusterConfig[]> {
  return Promise.all(Array.from({ length: to - from + 1 }, (_, at) => db.admin.config(from + at)));
}

/** How often a shard changed its owner over these configs. */
export function movesIn(configs: readonly ClusterConfig[]): number {
  let moves = 0;
  configs.forEach((config, at) => {
    const before = configs[at - 1];
    if (before === undefined) return;
    config.shards.forEach(({ owner }, shard) => {
      const { owner: former = 0 } = before.shards[shard] ?? {};
      if (former !== 0 && former !== owner) moves++;
    });
  });
  return moves;
}
