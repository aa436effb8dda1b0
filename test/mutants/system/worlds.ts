import type { World } from './sabotage.ts';

/** Clusters in which something shows soon. Any seed may make one like these; most make milder ones. */

/** Three stores and two groups, and callers that hardly think. */
export const still: World = { seconds: 8, thinkMs: 40 };

/** Six stores, and a shard moves four times a second. */
export const moving: World = { seconds: 5, movesMs: 250, groups: 3, thinkMs: 60 };

/** The same for longer. */
export const movingLong: World = { seconds: 12, movesMs: 250, groups: 3, thinkMs: 60 };
