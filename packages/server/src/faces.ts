import type { Host } from '@flotilla/host';
import type { DiskSpace, Gauge } from '@flotilla/ports';
import type { StoreNode } from '@flotilla/store';
import type { Fabric } from '@flotilla/transport';
import type { PromMeter } from './adapters/prom-meter.ts';
import type { HttpFaces } from './http.ts';

/** What a running store tells about itself over HTTP. Read when somebody asks; nothing is counted twice. */

export interface FaceParts {
  readonly storeId: string;
  readonly incarnation: string;
  readonly address: string;
  readonly meter: PromMeter;
  readonly disk: DiskSpace;
  readonly fabric: Fabric;
  readonly node: StoreNode;
}

export function httpFaces(parts: FaceParts): HttpFaces {
  const { meter, node } = parts;
  const gauges = new StoreGauges(meter);
  return {
    readiness: () => node.readiness(),
    metrics: async () => {
      gauges.read(parts);
      return { contentType: meter.contentType, text: await meter.expose() };
    },
    status: () => statusOf(parts),
  };
}

class StoreGauges {
  readonly #replicas: Gauge;
  readonly #leaders: Gauge;
  readonly #leaderless: Gauge;
  readonly #applyLag: Gauge;
  readonly #leaseReads: Gauge;
  readonly #indexReads: Gauge;
  readonly #diskFree: Gauge;
  readonly #ready: Gauge;

  constructor(meter: PromMeter) {
    this.#replicas = meter.gauge('replicas', 'Replicas on this store.');
    this.#leaders = meter.gauge('leaders', 'Groups that this store leads.');
    this.#leaderless = meter.gauge('groups_without_leader', 'Groups of this store whose leader is unknown.');
    this.#applyLag = meter.gauge(
      'apply_lag_entries',
      'Committed entries not applied yet, of the worst group.',
    );
    this.#leaseReads = meter.gauge('lease_reads', 'Reads served under a lease since the start.');
    this.#indexReads = meter.gauge('index_reads', 'Reads that asked a majority since the start.');
    this.#diskFree = meter.gauge('disk_free_bytes', 'Free space under the data directory.');
    this.#ready = meter.gauge('ready', 'One if this store is ready for clients.');
  }

  read({ node, disk }: FaceParts): void {
    const { host } = node;
    const replicas = [...host.replicas()];
    const lags = replicas.map(({ raft, applied }) => raft.commitIndex - applied.index);
    this.#replicas.set(replicas.length);
    this.#leaders.set(replicas.filter((replica) => replica.isLeader).length);
    this.#leaderless.set(replicas.filter((replica) => replica.leaderStore() === undefined).length);
    this.#applyLag.set(Math.max(0, ...lags));
    this.#leaseReads.set(host.leaseReads);
    this.#indexReads.set(host.indexReads);
    this.#diskFree.set(disk.freeBytes());
    this.#ready.set(node.readiness().ready ? 1 : 0);
  }
}

function groupsOf(host: Host): unknown[] {
  return [...host.replicas()].map((replica) => ({
    gid: replica.group.gid,
    incarnation: replica.group.incarnation,
    raftId: replica.raftId,
    role: replica.raft.role,
    term: replica.raft.term,
    leader: replica.leaderStore() ?? '',
    commitIndex: replica.raft.commitIndex,
    appliedIndex: replica.applied.index,
    quarantined: replica.broken ?? '',
  }));
}

function statusOf(parts: FaceParts): unknown {
  const { node, fabric, storeId, incarnation, address } = parts;
  const { ready, reasons } = node.readiness();
  return {
    storeId,
    incarnation,
    address,
    clusterId: node.clusterId,
    configNumber: node.config.number,
    ready,
    reasons,
    groups: groupsOf(node.host),
    peers: fabric.peers(),
  };
}
