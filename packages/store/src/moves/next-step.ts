import { ShardState, type ShardStatus } from '@flotilla/kv';
import { type FrozenFacts, limits } from '@flotilla/wire';
import type { Place } from './pieces.ts';

/** Everything that the next step of a move depends on. */
export interface MoveView {
  readonly moveId: number;
  /** The shard in the target, as applied. */
  readonly shard: ShardStatus | undefined;
  /** The config holds back copy and freeze: the move is paused, or being cancelled. */
  readonly isHeldBack: boolean;
  /** r0 as the source said it last. */
  readonly r0: number | undefined;
  /** The source is frozen. */
  readonly frozen: FrozenFacts | undefined;
  /** A freeze was sent and may have been applied. */
  readonly freezeSent: boolean;
  /** Even the source's leader could not answer for the export. */
  readonly isSourceUnsure: boolean;
  /** What is open in the source beyond what the target has, as far as known. */
  readonly openBytes: number | undefined;
  /** The copy catches up between two pages. */
  readonly isCatchingUp: boolean;
  /** Pages or changes are on their way into the target's log. */
  readonly isImporting: boolean;
  /** The leader holds its lease: what it commits now, it commits as the leader. */
  readonly holdsLease: boolean;
  /** An entry of this leader was committed within the last second. */
  readonly hasCommitted: boolean;
}

export type NextStep =
  /** The target serves by this move. */
  | { readonly do: 'served' }
  /** Nothing more can come of this move here. */
  | { readonly do: 'stop' }
  | { readonly do: 'wait'; readonly why: string }
  | { readonly do: 'begin-export' }
  | { readonly do: 'begin-import'; readonly base: number }
  | { readonly do: 'page' }
  | { readonly do: 'changes' }
  /** Only look whether the source is frozen already. */
  | { readonly do: 'look' }
  /** Commit something harmless, to see that this leader still can. */
  | { readonly do: 'prove' }
  | { readonly do: 'freeze'; readonly pos: number }
  | { readonly do: 'activate'; readonly facts: FrozenFacts };

function wait(why: string): NextStep {
  return { do: 'wait', why };
}

/** Where the copy of this move stands; undefined while there is none. */
export function placeOf(shard: ShardStatus | undefined, moveId: number): Place | undefined {
  return shard?.state === ShardState.importing && shard.moveId === moveId ? shard.staging : undefined;
}

/**
 * The next step of a move in the hands of its target's leader. It follows from the applied state and from what
 * the source said, and from nothing that a new leader would not find out as well.
 */
export function nextStep(view: MoveView): NextStep {
  const { moveId, shard } = view;
  if (shard?.state === ShardState.serving) {
    if (shard.moveId === moveId) return { do: 'served' };
    return moveId <= shard.fence
      ? { do: 'stop' }
      : wait('the target still serves the shard by an older move');
  }
  if (shard !== undefined && moveId <= shard.fence) return { do: 'stop' };
  // Another leader of the target knows of a newer config than this one.
  if (shard?.state === ShardState.importing && shard.moveId > moveId) return { do: 'stop' };
  // After the freeze the shard is served by nobody: nothing may hold it up.
  const isHeldBack = view.isHeldBack && view.frozen === undefined && !view.freezeSent;
  const place = placeOf(shard, moveId);
  if (place === undefined) return isHeldBack ? wait('it is held back') : begin(view);
  const base = view.frozen?.revision ?? view.r0;
  // The source dropped its index beyond what this copy has seen.
  if (view.r0 !== undefined && view.r0 > place.pos && base !== undefined && !isHeldBack) {
    return { do: 'begin-import', base };
  }
  if (view.isSourceUnsure && !isHeldBack) return { do: 'begin-export' };
  // Whoever led before may have frozen the source, which a pause must not leave without an owner.
  if (isHeldBack) return { do: 'look' };
  return place.isComplete ? finish(view, place.pos) : copy(view);
}

function begin(view: MoveView): NextStep {
  // Of a frozen source all pages show the final revision: nothing has to be caught up.
  const base = view.frozen?.revision ?? view.r0;
  return base === undefined ? { do: 'begin-export' } : { do: 'begin-import', base };
}

function copy(view: MoveView): NextStep {
  return view.isCatchingUp && view.frozen === undefined ? { do: 'changes' } : { do: 'page' };
}

function finish(view: MoveView, pos: number): NextStep {
  const { frozen } = view;
  if (frozen !== undefined) {
    if (pos < frozen.revision) return { do: 'changes' };
    return view.isImporting ? wait('its last changes are being applied') : { do: 'activate', facts: frozen };
  }
  if (!view.freezeSent) {
    if (view.openBytes === undefined || view.openBytes > limits.freezeBytes) return { do: 'changes' };
    if (view.isImporting) return wait('its last changes are being applied');
    // A deposed leader must not freeze what it cannot activate.
    if (!view.holdsLease) return wait('the leader of the target is not sure to lead');
    if (!view.hasCommitted) return { do: 'prove' };
  }
  return { do: 'freeze', pos };
}
