import { type ErrorDetails, FlotillaError, type RaftId, UsageError } from '@flotilla/base';
import type { RaftLogger } from './logger.ts';
import type { RaftStorage } from './storage.ts';

/** How a leader proves itself before a read: by a round of heartbeats, or by trusting its lease. */
export type ReadOnlyMode = 'safe' | 'lease-based';

export interface RaftConfig {
  /** Own id, above 0; never another node's, never used twice in a group. */
  readonly id: RaftId;
  readonly storage: RaftStorage;
  /** Index up to which the state machine already stands; at least `firstIndex() - 1` of storage. */
  readonly applied: number;
  /** Ticks without a leader after which an election begins; the actual number is random up to twice this. */
  readonly electionTicks: number;
  /** Ticks between two heartbeats of a leader; below `electionTicks`. */
  readonly heartbeatTicks: number;
  /**
   * Writes and application go out as messages to storage threads, and their responses come back through
   * `step`. False: the host does both in between `ready` and `advance`.
   */
  readonly asyncStorageWrites: boolean;
  /** Ask around before raising the term, so that a node that was cut off disturbs nobody (thesis 9.6). */
  readonly preVote: boolean;
  /** A leader that hears no majority steps down, and followers of a live leader give no votes (thesis 6.2). */
  readonly checkQuorum: boolean;
  /**
   * `lease-based` trusts ticks for its safety: those of all members have the same length, and no host calls
   * `campaign` or shortens a timeout while it hears a leader. Needs `checkQuorum`.
   */
  readonly readOnly: ReadOnlyMode;
  /** A leader that a change removed or made a learner steps down as it applies that change. */
  readonly stepDownOnRemoval: boolean;
  /** Followers refuse proposals instead of passing them on to the leader. */
  readonly disableProposalForwarding: boolean;
  /** Lets changes of membership through that the leader would refuse. For tests of what comes then. */
  readonly disableConfChangeValidation: boolean;
  /** Bytes of entries in one append message. One entry always goes. */
  readonly messageBytesMax: number;
  /** Bytes of entries handed out for application and not acknowledged. One entry always goes. */
  readonly committedBytesPerReadyMax: number;
  /** Payload bytes of own proposals that are not applied yet; above it proposals are refused. */
  readonly uncommittedBytesMax: number;
  /** Append messages in flight to one follower. */
  readonly inflightMessagesMax: number;
  /** Payload bytes in flight to one follower; at least `messageBytesMax`. */
  readonly inflightBytesMax: number;
  /** A uniform random number in [0, limit), for election timeouts only. */
  readonly random: (limit: number) => number;
  readonly logger?: RaftLogger | undefined;
}

/**
 * Stored state that no correct history leads to. The replica must not take part: it could vote twice, or let
 * a commit vanish. The host quarantines it.
 */
export class RaftStateError extends FlotillaError {
  override readonly code = 'FLOTILLA_RAFT_STATE';
  override readonly retry = 'never';
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}

/** Throws {@link UsageError} unless the settings make sense together. */
export function checkConfig(config: RaftConfig): void {
  const wrong = (text: string): never => {
    throw new UsageError(`raft configuration of node ${config.id}: ${text}`);
  };
  if (!Number.isSafeInteger(config.id) || config.id <= 0) wrong('the id must be an integer above 0');
  if (!(config.heartbeatTicks > 0)) wrong('heartbeatTicks must be above 0');
  if (!(config.electionTicks > config.heartbeatTicks)) wrong('electionTicks must be above heartbeatTicks');
  if (!(config.inflightMessagesMax > 0)) wrong('inflightMessagesMax must be above 0');
  if (!(config.messageBytesMax >= 0)) wrong('messageBytesMax must be a number');
  if (!(config.inflightBytesMax > 0)) wrong('inflightBytesMax must be above 0');
  if (config.inflightBytesMax < config.messageBytesMax) wrong('inflightBytesMax is below messageBytesMax');
  if (!(config.committedBytesPerReadyMax > 0)) wrong('committedBytesPerReadyMax must be above 0');
  if (!(config.uncommittedBytesMax > 0)) wrong('uncommittedBytesMax must be above 0');
  if (config.readOnly === 'lease-based' && !config.checkQuorum) wrong('lease-based reads need checkQuorum');
}
