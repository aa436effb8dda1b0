import type { StoreId } from '@flotilla/base';
import type { Host, Replica } from '@flotilla/host';
import type { PeerLinks, Timers } from '@flotilla/ports';
import { type Answer, failure, success } from './replies.ts';

const TRANSFER_MS = 3_000;
const TRANSFER_POLL_MS = 20;

/** Hands the leadership of a group that is led here to the replica on another store, and says how that ended. */
export function transfer(
  world: { readonly host: Host; readonly links: PeerLinks; readonly timers: Timers },
  replica: Replica,
  store: StoreId,
  reply: Answer,
): void {
  const { gid } = replica.group;
  const target = replica.raftIdOn(store);
  if (target === undefined) {
    const stores = replica.members.map((place) => place.storeId).join(', ');
    const what = `store ${store} holds no replica of group ${gid}: it lives on ${stores}`;
    reply(failure('not-a-replica', what));
    return;
  }
  if (target === replica.raftId) {
    reply(success({ leader: store }));
    return;
  }
  if (!world.links.isUp(store)) {
    const what = `store ${store} is not connected to the leader of group ${gid}: start it first`;
    reply(failure('store-down', what));
    return;
  }
  world.host.transferLeader(replica, target);
  let waitedMs = 0;
  const poll = (): void => {
    const leader = replica.leaderStore();
    if (leader === store) {
      reply(success({ leader }));
    } else if (waitedMs >= TRANSFER_MS) {
      const now = leader === undefined ? 'has no leader' : `is led by ${leader}`;
      const what = `group ${gid} ${now} after ${TRANSFER_MS} ms: try again`;
      reply(failure('transfer-failed', what, 'backoff'));
    } else {
      waitedMs += TRANSFER_POLL_MS;
      world.timers.set(TRANSFER_POLL_MS, poll);
    }
  };
  poll();
}
