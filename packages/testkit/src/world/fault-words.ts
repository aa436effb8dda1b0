import { MoveStep } from '@flotilla/wire';
import type { FaultAction } from './faults.ts';
import { machineWords } from './machine-faults.ts';

/** One action of a schedule for people. */
export function actionWords(action: FaultAction): string {
  switch (action.kind) {
    case 'crash':
      return `${action.store} crashes`;
    case 'power-cut':
      return `${action.store} loses power`;
    case 'fail-commit':
      return `the next log commit of ${action.store} fails`;
    case 'restart':
      return `${action.store} is started`;
    case 'pause':
      return `${action.store} stands still`;
    case 'resume':
      return `${action.store} goes on`;
    case 'cut':
      return `${action.name}: cut ${action.directions.join(' ')}`;
    case 'slow':
      return `${action.name}: ${action.left} and ${action.right} are ${action.ms} ms further apart`;
    case 'heal':
      return `${action.name} is over`;
    case 'reset':
      return `connections of ${action.left} and ${action.right} break (told: ${action.told.join(', ')})`;
    case 'lossy':
      return `frames: ${lossWords(action)}`;
    case 'damage':
      return action.probability === 0 ? 'no more damaged bytes' : 'bytes are damaged';
    case 'disk':
      return `the disk of ${action.store} takes ${action.delayMs} ms longer`;
    case 'stall':
      return `the disk of ${action.store} stalls`;
    case 'unstall':
      return `the disk of ${action.store} goes on`;
    case 'clock-step':
      return `the wall clock of ${action.store} steps by ${action.ms} ms`;
    case 'leader-crash':
      return `${action.name}: the leader of group ${action.gid} crashes`;
    case 'leader-pause':
      return `${action.name}: the leader of group ${action.gid} stands still`;
    case 'leader-cut':
      return `${action.name}: the leader of group ${action.gid} is cut off from the other stores`;
    case 'leader-drop':
      return `${action.name}: the leader of group ${action.gid} loses its connections to the other stores`;
    case 'leader-back':
      return `${action.name} is over`;
    case 'deaf':
      return `${action.name}: no config reaches ${action.store}`;
    case 'hearing':
      return `${action.name} is over`;
    case 'move-frames':
      return `frames of moves: ${lossWords(action)}`;
    case 'move-leader':
      return `${action.name}: ${action.harm} of the leader at the ${action.end} of a move`;
    case 'move-step': {
      const role = action.asLeader ? 'leader' : 'follower';
      return `${action.name}: ${action.harm} awaits the next ${role} that applies ${stepName(action.step)}`;
    }
    default:
      return machineWords(action);
  }
}

interface Losses {
  readonly loss: number;
  readonly doubles: number;
  readonly late: number;
}

function lossWords({ loss, doubles, late }: Losses): string {
  const percent = (part: number): string => `${Math.round(part * 100)} %`;
  return `${percent(loss)} lost, ${percent(doubles)} doubled, ${percent(late)} late`;
}

/** The name of a step as the log of a group would be told. */
export function stepName(step: MoveStep): string {
  return Object.entries(MoveStep).find(([, value]) => value === step)?.[0] ?? `step ${step}`;
}
