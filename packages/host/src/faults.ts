import { CorruptionError, DecodeError } from '@flotilla/base';
import { RaftStateError } from '@flotilla/raft';

/**
 * True for errors that say that a replica's own data cannot be trusted, or not be understood by this version:
 * they end that replica and nothing else. All others are mistakes of ours and end the process.
 */
export function isReplicaFault(
  cause: unknown,
  alsoFault: ((cause: unknown) => boolean) | undefined,
): boolean {
  return (
    cause instanceof CorruptionError ||
    cause instanceof DecodeError ||
    cause instanceof RaftStateError ||
    alsoFault?.(cause) === true
  );
}
