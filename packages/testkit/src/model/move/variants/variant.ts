import type { Patch } from '../../patches.ts';
import type { Harm } from '../harm.ts';

/**
 * A protocol that is wrong by one rule: the real code with that rule left out. The search must find what harm
 * comes of it. Assertions are off in all of them, and so are the checks of how things are done: it is the harm
 * itself that has to be found, as clients or operators would meet it.
 */
export interface Variant {
  readonly name: string;
  /** The rule that is left out. */
  readonly rule: string;
  /** What comes of it. */
  readonly harm: Harm;
  /** The search that finds it. */
  readonly bounds: string;
  readonly patches: readonly Patch[];
}

/** Paths are short: `kv/src/shard.ts`. */
export function patch(file: string, find: string, replace: string): Patch {
  return { file: `packages/${file}`, find, replace };
}

/** Files of which rules are left out. */
export const target = 'kv/src/move-target.ts';
export const source = 'kv/src/move-source.ts';
export const batch = 'kv/src/batch.ts';
export const shard = 'kv/src/shard.ts';
export const index = 'kv/src/change-index.ts';
export const copyReader = 'kv/src/copy-reader.ts';
export const duties = 'store/src/moves/move-duties.ts';

const digests = 'if (!shard.records.equals(digests.records) || !shard.rows.equals(digests.rows)) {';

/** The digest catches most wrong copies before anybody is served from them; without it they do their harm. */
export const noDigest: Patch = patch(target, digests, 'if (false) {');

export const noRowDigest: Patch = patch(target, digests, 'if (!shard.records.equals(digests.records)) {');

/** Places in them that several rules share. */
export const keepRow = 'row.keep(seq, this.#floor, shard.revision, executor.outcome);';
export const notServed = 'if (shard?.state !== ShardState.serving || shard.epoch !== command.epoch) {';
export const fitsPage = 'if (!equalBytes(page.cursor, staging.cursor) || page.view < staging.pos) return;';
export const fitsDelta = 'if (delta.from > staging.pos || delta.to <= staging.pos) return;';
export const isReady = 'if (!isComplete || pos !== revision) return';
