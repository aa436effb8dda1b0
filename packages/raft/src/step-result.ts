/**
 * What became of a message:
 *
 * - `ok`: handled, or ignored because it is late;
 * - `local-message`: of a kind that never comes from another process;
 * - `unknown-peer`: an answer from somebody who is no member;
 * - `proposal-dropped`: a proposal that nobody took;
 * - `malformed`: fields that no correct node sends; nothing was changed;
 * - `inconsistent`: contradicts what this node has durable (it lost acknowledged entries, or two nodes lead one
 *   term). Nothing was changed, an error was logged, and the host should quarantine the replica.
 */
export type StepResult =
  | 'ok'
  | 'local-message'
  | 'unknown-peer'
  | 'proposal-dropped'
  | 'malformed'
  | 'inconsistent';
