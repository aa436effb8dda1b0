import { DecodeError, hexEncode, Reader, type StoreId, utf8Decode, utf8Encode, Writer } from '@flotilla/base';
import type { Host } from '@flotilla/host';
import { Lane, type LogSink, type PeerLinks, type Random } from '@flotilla/ports';
import { FrameKind, type ReplicaPlace, readReplicas, writeReplicas } from '@flotilla/wire';

/** The controller group as it was founded: never changes, so it may be told again at any time. */
interface Founding {
  readonly clusterId: string;
  readonly members: readonly ReplicaPlace[];
}

export interface FounderOptions {
  readonly storeId: StoreId;
  readonly incarnation: string;
  readonly bootstrap: readonly StoreId[] | undefined;
  readonly host: Host;
  readonly links: PeerLinks;
  readonly random: Random;
  readonly log: LogSink;
  readonly clusterId: () => string;
  /** 0 while no config is known. */
  readonly configNumber: () => number;
  /** Makes the cluster id of a blank store durable, then calls back. */
  readonly adopt: (clusterId: string, done: () => void) => void;
}

const CONTROLLER = { gid: 0, incarnation: 0 };
/** Ticks between two tellings of the founding to one who may have got its replica already. */
const TELL_TICKS = 20;
/** Ticks without any config after which a founding that a crash interrupted is taken up again. */
const RESUME_TICKS = 60;

/**
 * Founding a cluster, and joining one. The store that comes first in the sorted list of `--bootstrap` founds,
 * once all of them are connected and blank at the same time. It tells the others the cluster id and the
 * members with their incarnations; each creates its replica of the controller group only for its own
 * incarnation, so a store whose disk was wiped can never vote under its old raft id. Every other blank store
 * joins the first cluster that it meets.
 *
 * A data directory takes nothing before it has its cluster id, so a crash may come between the id and the
 * replica, and the others may have joined by then:
 *
 * 1. Whoever has its replica tells all members until a config is known, whatever they belong to.
 * 2. The founder itself starts again if it did not join, no config reaches it for a while, and nobody else of
 *    that cluster is there. If it was wrong about that, nobody hears its replica: its incarnation is not theirs.
 */
export class Founder {
  readonly #options: FounderOptions;
  #adopting = false;
  #creating = false;
  /** In this life the cluster id came from others. */
  #joined = false;
  #ticks = 0;
  #idleTicks = 0;

  constructor(options: FounderOptions) {
    this.#options = options;
  }

  /** Looks whether there is something to do; called now and then. */
  tick(): void {
    const { host, clusterId, configNumber } = this.#options;
    this.#ticks++;
    if (this.#adopting || this.#creating) return;
    const replica = host.replica(0);
    if (replica !== undefined) {
      this.#tell({ clusterId: clusterId(), members: replica.members });
      return;
    }
    if (clusterId() === '') {
      this.#joinAny();
    } else if (++this.#idleTicks < RESUME_TICKS || configNumber() > 0) {
      return;
    }
    if (!this.#joined) this.#found();
  }

  onFrame(from: StoreId, body: Uint8Array): void {
    const reader = new Reader(body);
    const clusterId = utf8Decode(reader.bytes16(64));
    const members = readReplicas(reader);
    reader.expectEnd();
    if (clusterId === '' || !members.some((member) => member.storeId === from)) {
      throw new DecodeError('a founding that does not name its sender');
    }
    this.#take({ clusterId, members });
  }

  #joinAny(): void {
    const { links, host, adopt, log } = this.#options;
    for (const { storeId } of host.connectedPeers()) {
      const clusterId = links.clusterOf(storeId);
      if (clusterId === undefined || clusterId === '') continue;
      this.#adopting = true;
      this.#joined = true;
      adopt(clusterId, () => {
        this.#adopting = false;
        log.log('info', 'cluster-joined', { clusterId, through: storeId });
      });
      return;
    }
  }

  #found(): void {
    const { bootstrap, storeId, incarnation, host, links, clusterId, random, log } = this.#options;
    if (bootstrap === undefined || this.#adopting) return;
    const stores = [...new Set(bootstrap)].sort();
    if (stores[0] !== storeId) return;
    const own = clusterId();
    for (const { storeId: id } of host.connectedPeers()) {
      if (!stores.includes(id) && links.clusterOf(id) !== '') return;
    }
    const members: ReplicaPlace[] = [];
    for (const [at, id] of stores.entries()) {
      const peer = id === storeId ? { incarnation } : host.peer(id);
      const cluster = id === storeId ? '' : links.clusterOf(id);
      if (peer === undefined || cluster === undefined || (cluster !== '' && cluster !== own)) return;
      members.push({ raftId: at + 1, storeId: id, storeIncarnation: peer.incarnation });
    }
    const founding = { clusterId: own === '' ? newClusterId(random) : own, members };
    log.log('info', 'cluster-founding', { clusterId: founding.clusterId, stores });
    this.#take(founding);
  }

  /** Creates the own replica, if the founding assigns one to this very incarnation. */
  #take(founding: Founding): void {
    const { storeId, incarnation, host, clusterId, adopt } = this.#options;
    if (this.#adopting || this.#creating || host.replica(0) !== undefined) return;
    const own = founding.members.find((member) => member.storeId === storeId);
    if (own?.storeIncarnation !== incarnation) return;
    const create = (): void => {
      this.#creating = true;
      host.create(CONTROLLER, own.raftId, founding.members, () => {
        this.#creating = false;
      });
    };
    if (clusterId() === founding.clusterId) {
      create();
    } else if (clusterId() === '') {
      this.#adopting = true;
      this.#joined = true;
      adopt(founding.clusterId, () => {
        this.#adopting = false;
        create();
      });
    }
  }

  #tell(founding: Founding): void {
    const { links, storeId, configNumber } = this.#options;
    const again = configNumber() === 0 && this.#ticks % TELL_TICKS === 0;
    const blank = founding.members.filter((each) => {
      if (each.storeId === storeId) return false;
      const cluster = links.clusterOf(each.storeId);
      return cluster === '' || (again && cluster === founding.clusterId);
    });
    if (blank.length === 0) return;
    const out = new Writer(256);
    out.bytes16(utf8Encode(founding.clusterId));
    writeReplicas(out, founding.members);
    const body = out.take();
    for (const { storeId: to } of blank) links.send(to, Lane.consensus, FrameKind.founding, body, 'normal');
  }
}

function newClusterId(random: Random): string {
  const bytes = new Uint8Array(16);
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.u32() & 0xff;
  return hexEncode(bytes);
}
