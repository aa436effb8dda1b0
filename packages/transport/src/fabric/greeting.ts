import { isStoreId, type StoreId } from '@flotilla/base';
import { Lane } from '@flotilla/ports';
import { type AddressEntry, type Hello, Role } from '@flotilla/wire';

/**
 * What two stores check before they trust a socket. Pure: facts in, verdict out. The stranger is told a
 * code only; the whole story goes to the log of the store that refused.
 */

/** Lane number in the hello of a store that only wants the address book: the socket carries nothing else. */
export const DISCOVERY = 255;

export interface Self {
  readonly storeId: StoreId;
  readonly incarnation: string;
  readonly clusterId: string;
  readonly formats: readonly [number, number];
  readonly protocol: { readonly min: number; readonly max: number };
}

export type RefusalCode =
  | 'wrong-role'
  | 'wrong-protocol'
  | 'bad-store-id'
  | 'self-connection'
  | 'store-id-twice'
  | 'wrong-cluster'
  | 'wrong-lane'
  | 'wrong-store'
  /** The other side's own dial is on its way and wins. */
  | 'duplicate'
  /** Another incarnation of that store still has a link; it is being checked. */
  | 'incarnation-busy';

export interface Verdict {
  readonly code: RefusalCode;
  /** For people who read this store's log. */
  readonly message: string;
}

export function makeHello(self: Self, lane: number, book: readonly AddressEntry[]): Hello {
  const own = book.find((entry) => entry.storeId === self.storeId);
  return {
    role: Role.peer,
    protocolMin: self.protocol.min,
    protocolMax: self.protocol.max,
    formatMin: self.formats[0],
    formatMax: self.formats[1],
    clusterId: self.clusterId,
    storeId: self.storeId,
    incarnation: self.incarnation,
    address: own?.address ?? '',
    lane,
    addressBook: book,
  };
}

/** Why this store will not talk to the other one; undefined if it will. */
export function judge(self: Self, theirs: Hello, lane: number | undefined): Verdict | undefined {
  if (theirs.role !== Role.peer) {
    return { code: 'wrong-role', message: 'a client connected to /peer: clients belong on /client' };
  }
  if (theirs.protocolMax < self.protocol.min || theirs.protocolMin > self.protocol.max) {
    const message =
      `it speaks protocols ${theirs.protocolMin}-${theirs.protocolMax}, this store ${self.protocol.min}-` +
      `${self.protocol.max}: upgrade one release at a time`;
    return { code: 'wrong-protocol', message };
  }
  if (!isStoreId(theirs.storeId) || theirs.incarnation === '') {
    return { code: 'bad-store-id', message: 'it has no usable store id or incarnation' };
  }
  return judgeIdentity(self, theirs, lane);
}

function judgeIdentity(self: Self, theirs: Hello, lane: number | undefined): Verdict | undefined {
  if (theirs.storeId === self.storeId) {
    if (theirs.incarnation === self.incarnation) {
      return { code: 'self-connection', message: 'the address leads back to this store' };
    }
    const message =
      `a store at ${theirs.address} has the id ${self.storeId} too (incarnation ${theirs.incarnation}, here ` +
      `${self.incarnation}): stop one of them and give it an id of its own`;
    return { code: 'store-id-twice', message };
  }
  if (self.clusterId !== '' && theirs.clusterId !== '' && self.clusterId !== theirs.clusterId) {
    const message =
      `${theirs.storeId} belongs to cluster ${theirs.clusterId}, this store to ${self.clusterId}: check the ` +
      'addresses given with --join, and that no data directory of another cluster was brought along';
    return { code: 'wrong-cluster', message };
  }
  const laneFits =
    lane === undefined ? theirs.lane <= Lane.bulk || theirs.lane === DISCOVERY : theirs.lane === lane;
  if (!laneFits)
    return {
      code: 'wrong-lane',
      message: `it asked for lane ${theirs.lane}, where this store expected another or knows none`,
    };
  return undefined;
}

/** The version of a store's own line, which it raises at every start. */
export function startsOf(hello: Hello): number {
  return hello.addressBook.find((entry) => entry.storeId === hello.storeId)?.version ?? 0;
}

export function laneName(lane: number): string {
  if (lane === Lane.consensus) return 'consensus';
  return lane === Lane.bulk ? 'bulk' : 'discovery';
}
