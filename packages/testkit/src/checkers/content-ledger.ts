import { CheckFailure } from './failure.ts';

interface Content {
  readonly high: number;
  readonly low: number;
  readonly by: string;
}

/**
 * What a shard holds is a function of its history, and its revision goes on from group to group. So two copies
 * at one revision hold the same records and session rows, byte for byte, on whatever replica of whatever group.
 */
export class ContentLedger {
  readonly #shards = new Map<number, Map<number, Content>>();

  /** A copy that is served, or frozen, as a sum over its stored items. */
  isAt(replica: string, shard: number, revision: number, high: number, low: number): void {
    let revisions = this.#shards.get(shard);
    if (revisions === undefined) {
      revisions = new Map();
      this.#shards.set(shard, revisions);
    }
    const known = revisions.get(revision);
    if (known === undefined) {
      revisions.set(revision, { high, low, by: replica });
      return;
    }
    if (known.high === high && known.low === low) return;
    throw new CheckFailure(
      'shard content',
      `shard ${shard} at revision ${revision} differs between ${known.by} and ${replica}`,
    );
  }
}
