import type { World } from './sabotage.ts';

/** Clusters in which something shows soon. Any seed may make one like these; most make milder ones. */

/** Three stores and two groups, and callers that hardly think. */
export const still: World = { seconds: 8, thinkMs: 40 };

/** Six stores, and a shard moves four times a second. */
export const moving: World = { seconds: 5, movesMs: 250, groups: 3, thinkMs: 60 };

/** The same for longer. */
export const movingLong: World = { seconds: 12, movesMs: 250, groups: 3, thinkMs: 60 };

/** Writers outrun the copies of shards. */
export const outrun: World = { seconds: 10, movesMs: 800, stores: 3, groups: 2, thinkMs: 8, faults: [] };

/** Three stores, two groups between which shards move all the time, and callers that hardly think. */
export const hot: World = { seconds: 6, movesMs: 100, stores: 3, groups: 2, thinkMs: 12 };

/** Moves all the time, and next to nobody who writes. */
export const idle: World = { seconds: 8, movesMs: 80, stores: 3, groups: 3, thinkMs: 300 };
