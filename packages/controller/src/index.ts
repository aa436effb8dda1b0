export type { ControllerAnswer, ControllerRefusal, RefusalCode } from './answer.ts';
export { decodeControllerAnswer, encodeControllerAnswer } from './answer.ts';
export type {
  ControllerCommand,
  ControllerRequest,
  DoneCommand,
  DoneMove,
  FoundCommand,
  JoinCommand,
  LeaveCommand,
  MoveCommand,
  RegisterStoreCommand,
} from './command.ts';
export { decodeControllerRequest, encodeControllerEntry } from './command.ts';
export type { ControllerGroupOptions } from './controller-group.ts';
export { ControllerGroup, EMPTY_CONFIG } from './controller-group.ts';
export type { ControllerEntryHead } from './format.ts';
export {
  CONTROLLER_ENTRY_FORMAT,
  controllerLimits,
  readControllerEntryHead,
  stampControllerEntry,
} from './format.ts';
export type { PlanInput, PlannedMove, PlanShard } from './planner.ts';
export { plan, planHomeless, planInput } from './planner.ts';
