export type { ControllerAnswer, ControllerRefusal, RefusalCode } from './answer.ts';
export { decodeControllerAnswer, encodeControllerAnswer } from './answer.ts';
export type {
  ControllerCommand,
  ControllerRequest,
  FoundCommand,
  JoinCommand,
  LeaveCommand,
  MoveCommand,
  MoveEnd,
  MoveOrderCommand,
  PolicyCommand,
  RebalanceCommand,
  RegisterStoreCommand,
  ReportCommand,
  ReportedMove,
} from './command.ts';
export { encodeControllerEntry } from './command.ts';
export { decodeControllerRequest } from './command-reader.ts';
export type { ControllerGroupOptions, Preview } from './controller-group.ts';
export { ControllerGroup, EMPTY_CONFIG } from './controller-group.ts';
export type { ControllerEntryHead } from './format.ts';
export {
  CONTROLLER_ENTRY_FORMAT,
  controllerLimits,
  readControllerEntryHead,
  stampControllerEntry,
} from './format.ts';
export { homeOf, movesBetween } from './intents.ts';
export type { ShardLoad } from './loads.ts';
export { decodeLoads, encodeLoads } from './loads.ts';
export type { PlanInput, PlannedMove, PlanShard } from './planner.ts';
export { plan, planInput } from './planner.ts';
