import type { ClusterPolicy } from '@flotilla/wire';
import type { PolicyCommand } from './command.ts';
import { type Decision, unchanged } from './decision.ts';

/** How the cluster treats its moves from now on; what is not named stays as it is. */
export function setPolicy(now: ClusterPolicy, command: PolicyCommand): Decision {
  const policy: ClusterPolicy = {
    auto: command.auto ?? now.auto,
    moveBytesPerSecond: command.moveBytesPerSecond ?? now.moveBytesPerSecond,
    movesPerStore: command.movesPerStore ?? now.movesPerStore,
  };
  const text = `policy: ${policyText(policy)}`;
  const isSame =
    policy.auto === now.auto &&
    policy.moveBytesPerSecond === now.moveBytesPerSecond &&
    policy.movesPerStore === now.movesPerStore;
  return isSame ? unchanged(`${text}, as before`) : { kind: 'changed', cause: text, message: text, policy };
}

function policyText({ auto, moveBytesPerSecond, movesPerStore }: ClusterPolicy): string {
  const pace = moveBytesPerSecond === 0 ? 'as fast as it goes' : `up to ${moveBytesPerSecond} bytes/s`;
  return `balancing by load ${auto ? 'by itself' : 'on request'}; moves ${pace} into a store, ${movesPerStore} at a time`;
}
