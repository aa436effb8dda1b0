import { groupNameText } from '@flotilla/base';
import type { Replica } from '@flotilla/host';
import { DataGroup, ShardState, type ShardStatus } from '@flotilla/kv';
import { type ClusterConfig, MoveAnswer, type MoveEntry, MoveStep, StepFate } from '@flotilla/wire';
import { moveKey } from './move-order.ts';
import type { MoveWorld } from './move-world.ts';
import { StepProposal } from './step-proposal.ts';

/** Shards are looked through so often while no config changes and nothing is found. */
const IDLE_MS = 1_000;
const OPEN_MAX = 256;

/**
 * What a group owes its shards by their state alone, whoever leads it. That a config has no intent for a move
 * says something only if it is newer than the move: an older one has not heard of it. A removed intent never
 * comes back, so nothing but the config has to arrive for the last traces of a move to go.
 */
export function dutyOf(
  shard: ShardStatus,
  config: ClusterConfig,
  indexBytesMax: number,
): MoveEntry | undefined {
  const { moveId, shard: number } = shard;
  const isOver = config.number > moveId && config.shards[number]?.intent?.moveId !== moveId;
  if (shard.state === ShardState.importing && isOver) return { step: MoveStep.abort, moveId, shard: number };
  if (shard.state === ShardState.frozen && isOver) return { step: MoveStep.forget, moveId, shard: number };
  const open = shard.openExport;
  const isHeavy = open !== undefined && open.bytes > indexBytesMax && open.r0 < shard.revision;
  if (shard.state !== ShardState.serving || !isHeavy) return undefined;
  return { step: MoveStep.trimExport, moveId: open.moveId, shard: number, to: shard.revision };
}

/** Clears up after moves, in the logs of the groups that this store leads. */
export class MoveDuties {
  readonly #world: MoveWorld;
  /** Proposed and not settled: group, move and shard. */
  readonly #open = new Set<string>();
  #seen: ClusterConfig | undefined;
  #lookAfterMs = 0;

  constructor(world: MoveWorld) {
    this.#world = world;
  }

  tick(): void {
    const { host, config, now, tuning } = this.#world;
    const newest = config();
    if (newest === this.#seen && now() < this.#lookAfterMs) return;
    this.#seen = newest;
    let found = 0;
    for (const replica of host.replicas()) {
      const { machine } = replica;
      if (!replica.isServing || replica.broken !== undefined || !(machine instanceof DataGroup)) continue;
      for (const shard of machine.shards()) {
        const duty = dutyOf(shard, newest, tuning.indexBytesMax);
        if (duty === undefined) continue;
        found++;
        this.#propose(replica, duty);
      }
    }
    // What was proposed now is looked at by the next tick.
    this.#lookAfterMs = found > 0 ? 0 : now() + IDLE_MS;
  }

  #propose(replica: Replica, step: MoveEntry): void {
    const name = `${groupNameText(replica.group)} ${moveKey(step)}`;
    if (this.#open.has(name) || this.#open.size >= OPEN_MAX) return;
    this.#open.add(name);
    const proposal = new StepProposal({
      step,
      stamp: () => this.#world.stampFor(replica),
      spares: true,
      done: (reply) => {
        this.#open.delete(name);
        if (reply.fate === StepFate.answered) this.#log(replica, step, reply.outcome.answer);
      },
    });
    this.#world.host.propose(replica, proposal);
  }

  #log(replica: Replica, { step, moveId, shard }: MoveEntry, answer: MoveAnswer): void {
    const fields = { moveId, shard, group: replica.name };
    const { log } = this.#world;
    if (answer === MoveAnswer.aborted) log.log('info', 'move-aborted', fields);
    else if (answer === MoveAnswer.done) log.log('info', 'move-forgotten', fields);
    else if (answer === MoveAnswer.trimmed) log.log('warn', 'move-index-trimmed', fields);
    else log.log('warn', 'move-duty-refused', { ...fields, step, answer });
  }
}
