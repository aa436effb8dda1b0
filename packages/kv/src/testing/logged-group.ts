import { Reader, Writer } from '@flotilla/base';
import { type MoveEntry, type MoveOutcome, readMoveOutcome } from '@flotilla/wire';
import { moveEntry } from '../data-group.ts';
import { Rig } from './rig.ts';

/** One log on several replicas, each as far as it has come. The first one has applied all of it. For tests. */
export class LoggedGroup {
  readonly log: Uint8Array[] = [];
  readonly replicas: readonly Rig[];

  constructor(gid: number, rowCaches: readonly number[], shardCount = 4) {
    // Different caches write session rows back at different times.
    this.replicas = rowCaches.map((rowCacheBytes) => new Rig({ gid, rowCacheBytes, shardCount }));
  }

  get newest(): Rig {
    return this.replicas[0] as Rig;
  }

  propose(entry: Uint8Array): Reader {
    this.log.push(entry);
    const out = new Writer(256);
    this.newest.index++;
    this.newest.group.apply(this.newest.index, entry.slice(), out);
    return new Reader(out.finish());
  }

  step(step: MoveEntry, stamp: number): MoveOutcome {
    return readMoveOutcome(this.propose(moveEntry(step, stamp)));
  }

  /** Lets a replica go on by so many entries. Nobody waits for what they come to. */
  advance(replica: Rig, count: number): void {
    for (let left = count; left > 0 && replica.index < this.log.length; left--) {
      const entry = this.log[replica.index] as Uint8Array;
      replica.index++;
      replica.group.apply(replica.index, entry.slice(), undefined);
    }
  }

  catchUp(): void {
    for (const replica of this.replicas) this.advance(replica, this.log.length);
  }
}
