import type { ControllerCommand } from './command.ts';
import { type ControllerView, type Decision, refused } from './decision.ts';
import { done } from './done.ts';
import { found } from './founding.ts';
import { join } from './join.ts';
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
    case 'done':
      return done(view.config, command.moves);
    case 'leave':
    case 'move':
      return refused(
        'not-available-yet',
        `${command.kind} is not available yet: shards that a group owns cannot be moved to another group in this version`,
      );
  }
}
