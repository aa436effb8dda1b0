import type { Host, Replica } from '@flotilla/host';
import { DataGroup, moveEntry, ShardState } from '@flotilla/kv';
import { type ClusterConfig, MovePhase, MoveStep, stampEntry } from '@flotilla/wire';
import type { InternalCommand } from '../admin/router.ts';
import { QuietProposal } from '../controller-proposal.ts';

/** Finished moves in one command: each is three cold elements of at most 4,096. */
const DONE_PER_COMMAND = 500;

export interface AssignmentOptions {
  readonly host: Host;
  readonly config: () => ClusterConfig;
  readonly stampFor: (replica: Replica) => number;
  readonly command: (command: InternalCommand, done: () => void) => void;
}

/**
 * First assignments, driven by the leader of the target: a shard that nobody serves is activated empty by an
 * entry of the group's own log, and reported to the controller until a config shows the new owner. Every step
 * follows from the config and the applied state, so any leader goes on where the last one stopped.
 */
export class AssignmentDriver {
  readonly #options: AssignmentOptions;
  /** Entries proposed and not settled, per group. */
  readonly #proposed = new Map<number, number>();
  #reporting = false;

  constructor(options: AssignmentOptions) {
    this.#options = options;
  }

  tick(): void {
    const config = this.#options.config();
    const finished: { shard: number; moveId: number }[] = [];
    const wanted = new Map<number, { shard: number; moveId: number; epoch: number }[]>();
    for (const [shard, { owner, epoch, intent }] of config.shards.entries()) {
      if (intent === undefined || owner !== 0 || intent.phase !== MovePhase.moving || intent.paused) continue;
      const list = wanted.get(intent.target) ?? [];
      list.push({ shard, moveId: intent.moveId, epoch: epoch + 1 });
      wanted.set(intent.target, list);
    }
    for (const [gid, moves] of wanted) {
      const replica = this.#options.host.replica(gid);
      if (replica === undefined || !replica.isServing || !(replica.machine instanceof DataGroup)) continue;
      const serving = new Map<number, number>();
      for (const shard of replica.machine.shards()) {
        if (shard.state === ShardState.serving) serving.set(shard.shard, shard.moveId);
      }
      const missing = moves.filter((move) => serving.get(move.shard) !== move.moveId);
      for (const move of moves) if (serving.get(move.shard) === move.moveId) finished.push(move);
      if ((this.#proposed.get(gid) ?? 0) === 0) for (const move of missing) this.#activate(replica, move);
    }
    this.#report(finished);
  }

  #activate(replica: Replica, move: { shard: number; moveId: number; epoch: number }): void {
    const { gid } = replica.group;
    const { shard, moveId, epoch } = move;
    this.#proposed.set(gid, (this.#proposed.get(gid) ?? 0) + 1);
    const entry = moveEntry({ step: MoveStep.activateEmpty, moveId, shard, epoch }, 0);
    const stamp = (data: Uint8Array): void => stampEntry(data, this.#options.stampFor(replica));
    const settled = (): void => {
      this.#proposed.set(gid, (this.#proposed.get(gid) ?? 1) - 1);
    };
    this.#options.host.propose(replica, new QuietProposal(entry, stamp, settled));
  }

  #report(finished: readonly { readonly shard: number; readonly moveId: number }[]): void {
    if (finished.length === 0 || this.#reporting) return;
    this.#reporting = true;
    const moves = finished.slice(0, DONE_PER_COMMAND).map(({ shard, moveId }) => ({ shard, moveId }));
    this.#options.command({ kind: 'done', moves }, () => {
      this.#reporting = false;
    });
  }
}
