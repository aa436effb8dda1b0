import type { StoreId } from '@flotilla/base';
import type { Hello } from '@flotilla/wire';
import { startsOf, type Verdict } from './greeting.ts';
import type { Link } from './link.ts';
import type { Peer, Slot } from './peer.ts';

/** Why another socket may not become the link of a lane, and the links to ask for a sign of life now. */
export interface Ruling {
  readonly verdict: Verdict;
  readonly probe: readonly Link[];
}

/**
 * Another incarnation gets in only once the old one fails to answer: either its disk was lost and the links
 * of its former life are dead, or two stores run under one id, which a takeover would only hide.
 */
export function ruleOnIncarnation(peer: Peer, hello: Hello): Ruling | undefined {
  const rivals = peer.links.filter((link) => link.hello?.incarnation !== hello.incarnation);
  if (rivals.length === 0) return undefined;
  const message =
    `${hello.storeId} connected from ${hello.address} as incarnation ${hello.incarnation}, while incarnation ` +
    `${peer.incarnation} is connected; if both keep running, two stores have the same id: stop one of them`;
  return { verdict: { code: 'incarnation-busy', message }, probe: rivals };
}

/**
 * The dial of the lower id stays, while it is under way and afterwards. A hello that crossed it may arrive
 * late, when the link is up already and the other side has long dropped that dial:
 * 1. s1 and s3 dial each other; both say hello.
 * 2. s3 hears s1's hello, drops its own dial and answers welcome.
 * 3. s1 hears the welcome: its link is up.
 * 4. s3's hello of step 1 arrives at s1. If it replaced the link, nothing would be left.
 * It may also mean that s3 lost the link without a sign, so s1 checks the link that it keeps. A store that
 * has started again since then need not wait for that.
 */
export function ruleOnDuplicate(selfId: StoreId, slot: Slot, hello: Hello): Ruling | undefined {
  if (selfId > slot.peer.storeId) return undefined;
  const { link, dial } = slot;
  if (link?.dialled && link.hello !== undefined && startsOf(hello) <= startsOf(link.hello)) {
    const verdict: Verdict = { code: 'duplicate', message: 'the link that this store dialled stays' };
    return { verdict, probe: [link] };
  }
  if (dial?.phase !== 'greeting') return undefined;
  return { verdict: { code: 'duplicate', message: 'the dial of this store is under way' }, probe: [] };
}

/** Whether the store that answered is the one that was dialled. */
export function judgeStore(slot: Slot, link: Link, welcome: Hello): Verdict | undefined {
  const { storeId } = slot.peer;
  if (welcome.storeId === storeId) return undefined;
  const message = `at ${link.remoteAddress} is ${welcome.storeId}, not ${storeId}: waiting to hear where it is`;
  return { code: 'wrong-store', message };
}
