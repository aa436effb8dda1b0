import type { GroupRecord, ShardRecord } from '@flotilla/wire';
import { groupWords } from './words.ts';

/**
 * A leaving group ends with the decision after which it owns nothing and no intent names it: whatever copies,
 * fences and late messages it still has cannot matter to any shard any more. Its id may be used again then.
 */
export function dismantle(
  groups: readonly GroupRecord[],
  shards: readonly ShardRecord[],
): { readonly groups: readonly GroupRecord[]; readonly note: string } {
  if (!groups.some((group) => group.leaving)) return { groups, note: '' };
  const named = new Set<number>();
  for (const { owner, intent } of shards) {
    named.add(owner);
    if (intent === undefined) continue;
    named.add(intent.target);
    named.add(intent.next);
  }
  const gone = groups.filter((group) => group.leaving && !named.has(group.gid)).map((group) => group.gid);
  if (gone.length === 0) return { groups, note: '' };
  return {
    groups: groups.filter((group) => !gone.includes(group.gid)),
    note: `; ${groupWords(gone)} dismantled`,
  };
}
