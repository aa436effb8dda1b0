import type { ControllerCommand } from './command.ts';
import { type ControllerView, type Decision, refused } from './decision.ts';
import { found } from './founding.ts';
import { join } from './join.ts';
import { leave } from './leave.ts';
import { move } from './move.ts';
import { order } from './move-orders.ts';
import { setPolicy } from './policy.ts';
import { rebalance } from './rebalance.ts';
import { settle } from './settle.ts';
import { registerStore } from './stores.ts';

export function decide(view: ControllerView, command: ControllerCommand): Decision {
  if (command.kind === 'found') return found(view, command);
  if (view.config.number === 0) {
    return refused('not-founded', 'the cluster is not founded yet: try again in a moment', 'backoff');
  }
  switch (command.kind) {
    case 'registerStore':
      return registerStore(view, command);
    case 'join':
      return join(view.config, command.groups);
    case 'leave':
      return leave(view.config, command.gids);
    case 'move':
      return move(view.config, command.shard, command.gid);
    case 'rebalance':
      return rebalance(view.config, command.loads);
    case 'cancel':
    case 'pause':
    case 'resume':
      return order(view.config, command);
    case 'policy':
      return setPolicy(view.config.policy, command);
    case 'done':
    case 'cancelled':
    case 'tooLate':
      return settle(view.config, command.kind, command.moves);
  }
}
