import type { Random } from '@flotilla/ports';
import type { ClusterConfig } from '@flotilla/wire';
import { seekDelayMs } from './back-off.ts';
import type { Group } from './group.ts';
import { type Detour, type Operation, Phase } from './operation.ts';
import { tuning } from './options.ts';
import type { Routes } from './routes.ts';

/**
 * What to do while the owner of a moving shard cannot be reached:
 *
 *   1. The source freezes the shard and is lost before it could tell anybody `moved`.
 *   2. The target activates the shard and serves it.
 *   3. The controller cannot be reached either, so no config shows the new owner.
 *
 * Only the target can tell then. So of the operations that wait for the source, one for each moving shard is
 * sent to the target under the epoch that the move leads to. An answer from a target that serves proves the
 * move; any other sends the operation home, to be tried at both in turn. The attempts grow rarer like those
 * at the source, and are one a shard however many operations wait.
 */

export interface DetourChoice {
  /** How many operations were marked. */
  readonly marked: number;
  /** When to ask again, ms; infinite if none of the group's shards moves. */
  readonly againMs: number;
}

/** Marks operations that wait for this group, which has no leader that could be reached. */
export function chooseDetours(group: Group, routes: Routes, random: Random, nowMs: number): DetourChoice {
  if (nowMs < group.detourAtMs) return { marked: 0, againMs: group.detourAtMs - nowMs };
  if (!hasMoves(group.gid, routes)) return { marked: 0, againMs: Number.POSITIVE_INFINITY };
  const soughtMs = nowMs - (group.seekingSinceMs ?? nowMs);
  group.detourAtMs = nowMs + seekDelayMs(random, soughtMs);
  const shards = new Set<number>();
  const visit = (operation: Operation): void => {
    const { shard } = operation;
    if (operation.phase === Phase.done || shards.size >= tuning.detoursMax || shards.has(shard)) return;
    operation.detour = detourOf(shard, routes.config);
    if (operation.detour !== undefined) shards.add(shard);
  };
  for (const lane of group.lanes.values()) {
    lane.again.each(visit);
    lane.fresh.each(visit);
  }
  return { marked: shards.size, againMs: group.detourAtMs - nowMs };
}

function hasMoves(gid: number, routes: Routes): boolean {
  return routes.config?.shards.some(({ owner, intent }) => owner === gid && intent !== undefined) === true;
}

function detourOf(shard: number, config: ClusterConfig | undefined): Detour | undefined {
  const record = config?.shards[shard];
  if (record?.intent === undefined) return undefined;
  return { gid: record.intent.target, epoch: record.epoch + 1 };
}
