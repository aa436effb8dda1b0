/**
 * How many shards have to move at least so that the living groups hold all of them, level within one. Computed
 * without the planner: most is kept when the larger shares go to those that hold most.
 */
export function fewest(homes: readonly number[], live: readonly number[]): number {
  if (live.length === 0) return 0;
  const held = live
    .map((gid) => homes.filter((home) => home === gid).length)
    .sort((left, right) => right - left);
  const share = Math.floor(homes.length / live.length);
  const larger = homes.length % live.length;
  const kept = held.map((count, at) => Math.min(count, at < larger ? share + 1 : share));
  return homes.length - kept.reduce((sum, count) => sum + count, 0);
}
