import { assert } from '@flotilla/base';
import { limits } from '@flotilla/wire';
import type { PackingRules } from './packing.ts';

const MIB = 1024 * 1024;

/** Safe to change on a running cluster, store by store. */
export interface FabricTuning {
  /** From an open socket to the other side's hello or welcome. */
  readonly handshakeMs: number;
  readonly pingMs: number;
  /** A peer from which nothing came for so long is dead. */
  readonly silentMs: number;
  /** How long a link may take to answer when someone else claims to be its store. */
  readonly probeMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** A link that lived this long was a working one: it is dialled again at once when it drops. */
  readonly stableMs: number;
  readonly consensusQueueBytes: number;
  readonly bulkQueueBytes: number;
  /** Room that only urgent frames may use, so that a full queue does not silence votes. */
  readonly urgentReserveBytes: number;
  /** Bytes that may wait in the socket, where nothing can be overtaken any more. */
  readonly socketBytes: number;
  /** How often a link with a queue looks whether its socket has room. */
  readonly drainPollMs: number;
  /** Accepted sockets that have not said hello yet. */
  readonly strangersMax: number;
  readonly packing: PackingRules;
}

export const defaultFabricTuning: FabricTuning = {
  handshakeMs: 3000,
  pingMs: 1000,
  silentMs: 15_000,
  probeMs: 1000,
  backoffMinMs: 50,
  backoffMaxMs: 2000,
  stableMs: 1000,
  consensusQueueBytes: 64 * MIB,
  bulkQueueBytes: 16 * MIB,
  urgentReserveBytes: 4 * MIB,
  socketBytes: MIB,
  drainPollMs: 2,
  strangersMax: 256,
  packing: { mode: 'auto', consensusBytesMin: 16_384, bulkBytesMin: 4096, bytesMax: MIB },
};

export function fabricTuning(changes: Partial<FabricTuning> = {}): FabricTuning {
  const tuning = { ...defaultFabricTuning, ...changes };
  assert(tuning.silentMs >= 3 * tuning.pingMs, 'one late ping must not kill a link');
  assert(
    tuning.backoffMinMs > 0 && tuning.backoffMinMs <= tuning.backoffMaxMs,
    'back-off grows from its start',
  );
  assert(
    tuning.socketBytes + limits.peerFrameBytes < 16 * MIB,
    'what a link hands over must stay below what a socket may hold back',
  );
  return tuning;
}
