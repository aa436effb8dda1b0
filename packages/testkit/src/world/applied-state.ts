import { must } from '@flotilla/base';
import { type DataGroup, ShardState } from '@flotilla/kv';
import type { AppliedState } from '../checkers/moves/move-checker.ts';
import { NOTHING_KNOWN, type ShardFacts } from '../checkers/moves/shard-facts.ts';

const states: Readonly<Record<ShardState, ShardFacts['state']>> = {
  [ShardState.absent]: 'absent',
  [ShardState.importing]: 'importing',
  [ShardState.serving]: 'serving',
  [ShardState.frozen]: 'frozen',
};

/** The state machine of a data group as the checks see it. */
export function stateOf(machine: DataGroup): AppliedState {
  return {
    facts: (number) => factsOf(machine, number),
    digests: (number) => must(machine.digest(number), `shard ${number} has a copy`),
  };
}

function factsOf(machine: DataGroup, number: number): ShardFacts {
  const shard = machine.shard(number);
  if (shard === undefined) return NOTHING_KNOWN;
  return {
    state: states[shard.state],
    fence: shard.fence,
    moveId: shard.moveId,
    epoch: shard.epoch,
    generation: shard.generation,
    revision: shard.revision,
    timeFloor: shard.timeFloor,
    opened: shard.openExport,
    staged: shard.staging,
  };
}
