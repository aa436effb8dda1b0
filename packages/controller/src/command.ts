import { Writer } from '@flotilla/base';
import type { ColdCodec, ColdValue } from '@flotilla/ports';
import type { JoinGroup, ReplicaPlace, StoreRecord } from '@flotilla/wire';
import { CONTROLLER_ENTRY_FORMAT } from './format.ts';

/**
 * What the controller group can be told. A command is a wish; whether it fits is decided where it is applied.
 */

/** The first entry of a cluster. A repeat with the same content is a success. */
export interface FoundCommand {
  readonly kind: 'found';
  readonly clusterId: string;
  readonly shardCount: number;
  /** Members of the controller group, ascending raft ids. */
  readonly replicas: readonly ReplicaPlace[];
  /** At least the stores of these members. */
  readonly stores: readonly StoreRecord[];
}

/** What a store says about itself at each start. */
export interface RegisterStoreCommand extends StoreRecord {
  readonly kind: 'registerStore';
}

export interface JoinCommand {
  readonly kind: 'join';
  readonly groups: readonly JoinGroup[];
}

export interface LeaveCommand {
  readonly kind: 'leave';
  readonly gids: readonly number[];
}

export interface MoveCommand {
  readonly kind: 'move';
  readonly shard: number;
  readonly gid: number;
}

/** Balances the numbers of shards, then the load. */
export interface RebalanceCommand {
  readonly kind: 'rebalance';
  /** See `loads.ts`; empty where nobody knows them. */
  readonly loads: Uint8Array;
}

/** For all open moves that one config ordered, or the one of them that moves `shard`. */
interface MoveOrder<K> {
  readonly kind: K;
  readonly moveId: number;
  readonly shard: number | undefined;
}

export type MoveOrderCommand = MoveOrder<'cancel'> | MoveOrder<'pause'> | MoveOrder<'resume'>;

/** What is undefined stays as it is. */
export interface PolicyCommand {
  readonly kind: 'policy';
  readonly auto: boolean | undefined;
  /** 0: no limit. */
  readonly moveBytesPerSecond: number | undefined;
  readonly movesPerStore: number | undefined;
}

/**
 * How moves ended: their new owner serves; their source answered `cancelled`, or `tooLate`. Of a first assignment
 * the target answers instead, `aborted` and `active`. Any number of moves makes one config.
 */
interface Report<K> {
  readonly kind: K;
  readonly moves: readonly ReportedMove[];
}

export type ReportCommand = Report<'done'> | Report<'cancelled'> | Report<'tooLate'>;

export type MoveEnd = ReportCommand['kind'];

export interface ReportedMove {
  readonly shard: number;
  readonly moveId: number;
}

export type ControllerCommand =
  | FoundCommand
  | RegisterStoreCommand
  | JoinCommand
  | LeaveCommand
  | MoveCommand
  | RebalanceCommand
  | MoveOrderCommand
  | PolicyCommand
  | ReportCommand;

export interface ControllerRequest {
  /** Made by whoever asked; a repeat gets the first answer. Empty: not remembered. */
  readonly requestId: string;
  readonly author: string;
  readonly command: ControllerCommand;
}

/** An entry with an empty stamp; the leader fills it in (`stampControllerEntry`) and proposes the bytes. */
export function encodeControllerEntry(
  codec: ColdCodec,
  command: ControllerCommand,
  requestId: string,
  author: string,
): Uint8Array {
  const out = new Writer(256);
  out.u8(CONTROLLER_ENTRY_FORMAT);
  out.u53(0);
  out.raw(codec.encode({ request: requestId, author, command: commandToCold(command) }));
  return out.finish();
}

export const REPORT_BYTES = 10;

/** Reports travel packed: a cold value may not hold as many elements as a cluster has shards. */
function packMoves(moves: readonly ReportedMove[]): Uint8Array {
  const out = new Writer(moves.length * REPORT_BYTES);
  for (const move of moves) {
    out.u16(move.shard);
    out.u53(move.moveId);
  }
  return out.finish();
}

export function commandToCold(command: ControllerCommand): ColdValue {
  switch (command.kind) {
    case 'found':
      return {
        ...command,
        replicas: command.replicas.map((replica) => ({ ...replica })),
        stores: command.stores.map((store) => ({ ...store })),
      };
    case 'join':
      return { ...command, groups: command.groups.map((group) => ({ ...group })) };
    case 'done':
    case 'cancelled':
    case 'tooLate':
      return { kind: command.kind, moves: packMoves(command.moves) };
    default:
      return { ...command };
  }
}
