import type { Group, Lane } from './group.ts';
import type { Link } from './link.ts';
import type { Links } from './links.ts';
import { tuning } from './options.ts';

/**
 * Which store gets the next batch of a lane. The known leader first; without one the replicas in turn. A
 * store that is down, or takes longer than a moment to be reached, is passed over.
 */

export type Choice =
  | { readonly link: Link }
  /** Nobody can take it now; look again then, or when a link changes. */
  | { readonly waitMs: number; readonly allDead: boolean };

export function chooseTarget(lane: Lane, links: Links, nowMs: number): Choice {
  const group = lane.group;
  if (!lane.needsLeader) {
    return inTurn(group, links, nowMs, lane.turn, lane.misses === 0, (turn) => {
      lane.turn = turn;
    });
  }
  if (group.leader !== undefined) {
    const link = links.of(group.leader);
    const readiness = link === undefined ? 'dead' : link.readiness(nowMs);
    if (readiness === 'open') return { link: link as Link };
    if (readiness === 'soon') return { waitMs: tuning.skip, allDead: false };
    group.forgetLeader();
  }
  return inTurn(group, links, nowMs, group.turn, group.misses === 0, (turn) => {
    group.turn = turn;
  });
}

function inTurn(
  group: Group,
  links: Links,
  nowMs: number,
  from: number,
  preferOpen: boolean,
  setTurn: (turn: number) => void,
): Choice {
  const replicas = group.replicas;
  if (preferOpen) {
    // Any replica can name the leader, so the first question goes where no time is lost on dialling.
    for (let step = 0; step < replicas.length; step++) {
      const link = links.of(replicas[(from + step) % replicas.length] as string);
      if (link?.isOpen !== true) continue;
      setTurn(from + step);
      return { link };
    }
  }
  let earliestMs = nowMs + tuning.backoffMax;
  for (let step = 0; step < replicas.length; step++) {
    const link = links.of(replicas[(from + step) % replicas.length] as string);
    if (link === undefined) continue;
    const readiness = link.readiness(nowMs);
    if (readiness === 'dead') {
      const retryAtMs = link.isDialling ? nowMs + tuning.skip : link.retryAtMs;
      if (retryAtMs < earliestMs) earliestMs = retryAtMs;
      continue;
    }
    setTurn(from + step);
    return readiness === 'open' ? { link } : { waitMs: tuning.skip, allDead: false };
  }
  return { waitMs: Math.max(1, earliestMs - nowMs), allDead: true };
}

/** A leader hint is worth following only to a store that can be reached. */
export function isReachable(links: Links, storeId: string, nowMs: number): boolean {
  const link = links.of(storeId);
  return link !== undefined && link.readiness(nowMs) !== 'dead';
}
