import { type GroupName, groupNameText, type StoreId, UsageError, Writer } from '@flotilla/base';
import { ControllerGroup } from '@flotilla/controller';
import { type GroupMachine, Host, type Replica } from '@flotilla/host';
import { DataGroup, NewerFormatError } from '@flotilla/kv';
import type { Socket, SocketHandler, TimerId } from '@flotilla/ports';
import {
  type AdminReply,
  type ClusterConfig,
  FrameKind,
  limits,
  type MoveProgress,
  makeSession,
  readAdmin,
  writeAdmin,
} from '@flotilla/wire';
import type { InternalCommand } from './admin/changes.ts';
import { LoadMeter } from './admin/load-meter.ts';
import { MoveWatch } from './admin/move-watch.ts';
import { AdminRouter } from './admin/router.ts';
import { ConfigHolder } from './config-holder.ts';
import { ControllerProposal } from './controller-proposal.ts';
import { AutoRebalance } from './drivers/auto-rebalance.ts';
import { Founder } from './drivers/founder.ts';
import { Registrar } from './drivers/registrar.ts';
import { ReplicaKeeper } from './drivers/replica-keeper.ts';
import { ConfigSubscriber } from './drivers/subscriber.ts';
import { UpkeepDriver } from './drivers/upkeep.ts';
import { Forwarding } from './forwarding.ts';
import { moveTuning } from './moves/move-tuning.ts';
import { Moves } from './moves/moves.ts';
import type { StoreOptions, StorePorts } from './ports.ts';
import { RpcService } from './rpc/service.ts';
import { Stamps } from './stamps.ts';

const DRIVER_MS = 50;
const DRAIN_MS = 5_000;

/**
 * One store: replicas of many groups under one host, the service for clients, and the drivers that turn what
 * the config wants into entries. Everything that touches the world comes in through ports.
 */
export class StoreNode {
  readonly host: Host;
  readonly #ports: StorePorts;
  readonly #options: StoreOptions;
  readonly #holder: ConfigHolder;
  readonly #service: RpcService;
  readonly #router: AdminRouter;
  readonly #forwarding: Forwarding;
  readonly #founder: Founder;
  readonly #subscriber: ConfigSubscriber;
  readonly #moves: Moves;
  readonly #keeper: ReplicaKeeper;
  readonly #drivers: readonly { tick(): void }[];
  readonly #stamps: Stamps;
  readonly #sessionRandom: { u32(): number };
  #clusterId: string;
  #timer: TimerId | undefined;
  #stopped = false;
  #draining = false;
  #isDrained = false;
  /** Who waits for the drain to end. */
  readonly #drained: (() => void)[] = [];
  #foundProposed = false;

  constructor(ports: StorePorts, options: StoreOptions) {
    checkOptions(options);
    this.#ports = ports;
    this.#options = options;
    this.#clusterId = options.clusterId ?? '';
    this.#holder = new ConfigHolder(ports.stateStore, (cause) => {
      if (this.#stopped) return;
      this.stop();
      options.onFatal(`a commit of the state failed: ${cause.message}`, 70);
    });
    this.#stamps = new Stamps(ports.clock, ports.links, ports.rare);
    this.#sessionRandom = ports.random.fork('sessions');
    const now = (): number => ports.clock.monoMs();
    const config = (): ClusterConfig => this.#holder.config;
    this.host = new Host(ports, {
      machines: (group, prefix) => this.#machine(group, prefix),
      ...(options.tuning === undefined ? {} : { tuning: options.tuning }),
      onFatal: options.onFatal,
      onTurnEnd: () => this.#turnEnd(),
      onFrame: (storeId, _lane, kind, body) => this.#onFrame(storeId, kind, body),
      onPeer: (storeId, isUp) => this.#onPeer(storeId, isUp),
      ...(options.onApplied === undefined ? {} : { onApplied: options.onApplied }),
      isReplicaFault: (cause) => cause instanceof NewerFormatError,
    });
    const { host } = this;
    const stampFor = (replica: Replica): number => this.#service.stampFor(replica);
    const command = (wish: InternalCommand, done: (reply: AdminReply) => void): void =>
      this.#router.internal(wish, done);
    this.#moves = new Moves({
      ...{ storeId: options.storeId, host, links: ports.links, timers: ports.timers, hasher: ports.hasher },
      ...{ log: ports.log, meter: ports.meter, random: ports.random.fork('moves') },
      ...{ now, config, stampFor, command, rare: ports.rare },
      tuning: { ...moveTuning, ...options.moveTuning },
    });
    this.#service = new RpcService({
      host,
      links: ports.links,
      hasher: ports.hasher,
      timers: ports.timers,
      log: ports.log,
      stamps: this.#stamps,
      throttle: this.#moves.throttle,
      now,
      rare: ports.rare,
      storeId: options.storeId,
      clusterId: () => this.#clusterId,
      wallMs: () => ports.clock.wallMs(),
      newSession: () => makeSession(this.#stamps.nowMs(), this.#sessionRandom),
      config: () => ({ number: this.#holder.config.number, encoded: this.#holder.encoded }),
      shardCount: () => this.#shardCount,
      onAdmin: (connection, body) => {
        const { request, cold } = readAdmin(body);
        connection.inFlight++;
        const reply = (answer: Uint8Array): void => {
          const out = new Writer(16 + answer.length);
          writeAdmin(out, request, answer);
          connection.inFlight--;
          connection.sendFrame(FrameKind.adminReply, out.take());
        };
        // Each of these may ask all stores: a client that asks without end must not have that.
        if (connection.inFlight > limits.inFlightRequests) this.#router.overloaded(reply);
        else this.#router.fromClient(cold, connection.remoteAddress, reply);
      },
    });
    this.#forwarding = new Forwarding(
      ports.links,
      ports.timers,
      ports.random.fork('forwarding'),
      (from, question) => {
        this.#router.fromStore(from, question.cold, question.hops, question.answer);
      },
      ports.rare,
    );
    const moves = (): readonly MoveProgress[] => this.moves();
    const loads = new LoadMeter(host, now);
    const watch = new MoveWatch(moves, now);
    this.#router = new AdminRouter({
      storeId: options.storeId,
      host,
      links: ports.links,
      timers: ports.timers,
      codec: ports.codec,
      forwarding: () => this.#forwarding,
      stampFor,
      config,
      clusterId: () => this.#clusterId,
      aheadMs: () => this.#stamps.aheadMs,
      ...{ moves, loads, watch },
    });
    this.#founder = new Founder({
      storeId: options.storeId,
      incarnation: options.incarnation,
      bootstrap: options.bootstrap,
      host,
      links: ports.links,
      random: ports.random.fork('cluster id'),
      log: ports.log,
      clusterId: () => this.#clusterId,
      configNumber: () => this.#holder.config.number,
      adopt: (clusterId, done) => {
        options.onClusterId(clusterId, () => {
          this.#clusterId = clusterId;
          done();
        });
      },
    });
    this.#subscriber = new ConfigSubscriber({
      links: ports.links,
      holder: this.#holder,
      peers: () => [...host.connectedPeers()].map((peer) => peer.storeId),
      now,
      rare: ports.rare,
    });
    const { storeId, incarnation, address, addressVersion, zone } = options;
    this.#keeper = new ReplicaKeeper({
      ...{ storeId, incarnation, host, log: ports.log, config },
      clusterId: () => this.#clusterId,
    });
    this.#drivers = [
      this.#founder,
      this.#subscriber,
      new Registrar({ self: { storeId, incarnation, address, addressVersion, zone }, config, now, command }),
      this.#moves,
      new UpkeepDriver({ host, now, nowStamp: () => this.#stamps.nowMs(), stampFor, rare: ports.rare }),
      ...[loads, watch],
      new AutoRebalance({
        now,
        isDue: () => host.replica(0)?.isServing === true && mayBalance(this.config),
        balance: (done) => this.#router.balance(done),
      }),
    ];
    this.#holder.onChange((change) => {
      this.#reconcile(change.config);
      this.#service.pushConfig(change);
      this.#moves.changed();
    });
  }

  get clusterId(): string {
    return this.#clusterId;
  }

  get config(): ClusterConfig {
    return this.#holder.config;
  }

  /** Open moves into groups that this store leads, and those that ended lately. */
  moves(): readonly MoveProgress[] {
    return this.#moves.progress();
  }

  start(): void {
    this.#holder.load();
    this.host.start();
    this.#reconcile(this.#holder.config);
    this.#arm();
  }

  /** Takes a socket that was accepted on `/client`; undefined refuses it. */
  acceptClient(socket: Socket): SocketHandler | undefined {
    return this.#stopped ? undefined : this.#service.accept(socket);
  }

  /** Before a planned stop: leaders elsewhere, no new clients, answers for what is in flight. */
  drain(done: () => void): void {
    if (this.#isDrained) {
      done();
      return;
    }
    this.#drained.push(done);
    if (this.#draining) return;
    this.#draining = true;
    this.#service.beginDrain();
    const begunAt = this.#ports.clock.monoMs();
    const poll = (): void => {
      // Again and again: a transfer may fail, and what this store wins meanwhile must go as well.
      const leadsNothing = this.host.drain();
      const isLate = this.#ports.clock.monoMs() - begunAt > DRAIN_MS;
      this.#isDrained = this.#stopped || isLate || (leadsNothing && this.#service.inFlight === 0);
      if (this.#isDrained) for (const each of this.#drained.splice(0)) each();
      else this.#ports.timers.set(DRIVER_MS, poll);
    };
    poll();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#timer !== undefined) this.#ports.timers.clear(this.#timer);
    this.#service.closeAll('the store stops');
    this.#moves.stop();
    this.host.stop();
  }

  /** Ready: in a cluster, with a config, each own replica sound, following or leading, and caught up. */
  readiness(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const reasons: string[] = [];
    if (this.#clusterId === '') reasons.push('this store belongs to no cluster yet');
    else if (this.#holder.config.number === 0) reasons.push('no config is known yet');
    else if (!this.#isRegistered()) reasons.push('the controller does not know this store yet');
    if (this.#draining) reasons.push('this store is draining');
    for (const { group, why } of this.host.unopened()) {
      reasons.push(`group ${groupNameText(group)} is quarantined: ${why}`);
    }
    for (const replica of this.host.replicas()) {
      if (replica.broken !== undefined)
        reasons.push(`group ${replica.name} is quarantined: ${replica.broken}`);
      else if (replica.raft.leaderId === 0) reasons.push(`group ${replica.name} has no leader`);
      else if (replica.isLeader && !replica.isServing) reasons.push(`group ${replica.name} begins its term`);
      else if (replica.raft.commitIndex - replica.applied.index > 1_000) {
        reasons.push(
          `group ${replica.name} is ${replica.raft.commitIndex - replica.applied.index} entries behind`,
        );
      }
    }
    return { ready: reasons.length === 0, reasons };
  }

  /** Only then can a group be given to it. Where its address stands is another question, and no obstacle. */
  #isRegistered(): boolean {
    const { storeId, incarnation } = this.#options;
    return this.#holder.config.stores.some(
      (store) => store.storeId === storeId && store.incarnation === incarnation,
    );
  }

  get #shardCount(): number {
    const { shards } = this.#holder.config;
    return shards.length > 0 ? shards.length : this.#options.shardCount;
  }

  #machine(group: GroupName, prefix: Uint8Array): GroupMachine {
    const { stateStore: store, hasher, codec } = this.#ports;
    return group.gid === 0
      ? new ControllerGroup({ store, prefix, codec })
      : new DataGroup({
          gid: group.gid,
          store,
          prefix,
          hasher,
          shardCount: this.#shardCount,
          ...(this.#options.pieceBytes === undefined ? {} : { pieceBytes: this.#options.pieceBytes }),
        });
  }

  #turnEnd(): void {
    const replica = this.host.replica(0);
    // A machine that broke in the middle of an entry may show a config that nobody else has.
    if (replica?.broken === undefined && replica?.machine instanceof ControllerGroup) {
      this.#holder.offer(replica.machine.config);
    }
    this.#service.flush();
  }

  #onFrame(storeId: StoreId, kind: number, body: Uint8Array): void {
    if (this.#forwarding.onFrame(storeId, kind, body)) return;
    if (kind === FrameKind.founding) {
      this.#founder.onFrame(storeId, body);
      return;
    }
    // A blank store keeps nothing of a cluster before its identity is on disk.
    if (this.#clusterId === '' || this.#moves.onFrame(storeId, kind, body)) return;
    if (kind === FrameKind.configAsk) this.#subscriber.onAsk(storeId, body);
    else if (kind === FrameKind.config) this.#subscriber.onConfig(body);
    else if (kind === FrameKind.configDelta) this.#subscriber.onDelta(storeId, body);
  }

  #onPeer(storeId: StoreId, isUp: boolean): void {
    if (isUp) {
      this.#subscriber.ask(storeId);
      return;
    }
    this.#forwarding.peerDown(storeId);
    this.#moves.peerDown(storeId);
  }

  /** Replicas and links as the config wants them. */
  #reconcile(config: ClusterConfig): void {
    const { links } = this.#ports;
    for (const store of config.stores) links.learn(store.storeId, store.address, store.addressVersion);
    this.#wantPeers(config);
    this.#keeper.reconcile();
  }

  /** All stores of the config; before the first one, everybody that discovery finds. */
  #wantPeers(config: ClusterConfig): void {
    const { links } = this.#ports;
    const known = config.number === 0 ? links.knownStores() : config.stores.map((store) => store.storeId);
    links.want([...new Set([...known, ...(this.#options.bootstrap ?? [])])]);
  }

  #arm(): void {
    this.#timer = this.#ports.timers.set(DRIVER_MS, () => {
      if (this.#stopped) return;
      this.#arm();
      this.#tick();
    });
  }

  #tick(): void {
    this.#stamps.observe([...this.host.connectedPeers()].map((peer) => peer.storeId));
    if (this.config.number === 0) this.#wantPeers(this.config);
    this.#proposeFounding();
    for (const driver of this.#drivers) driver.tick();
  }

  /** The first entry of a cluster, by whoever leads the controller group first. */
  #proposeFounding(): void {
    const replica = this.host.replica(0);
    if (replica === undefined || !replica.isServing || this.#foundProposed) return;
    if (!(replica.machine instanceof ControllerGroup) || replica.machine.config.number > 0) return;
    const stores = replica.members.map((member) => ({
      storeId: member.storeId,
      incarnation: member.storeIncarnation,
      address: this.#addressOf(member.storeId),
      addressVersion: member.storeId === this.#options.storeId ? this.#options.addressVersion : 0,
      zone: member.storeId === this.#options.storeId ? this.#options.zone : '',
    }));
    this.#foundProposed = true;
    this.host.propose(
      replica,
      new ControllerProposal({
        codec: this.#ports.codec,
        command: {
          kind: 'found',
          clusterId: this.#clusterId,
          shardCount: this.#options.shardCount,
          replicas: replica.members,
          stores,
        },
        requestId: '',
        author: `store ${this.#options.storeId}`,
        stamp: () => this.#service.stampFor(replica),
        done: () => {
          this.#foundProposed = false;
        },
      }),
    );
  }

  #addressOf(storeId: StoreId): string {
    if (storeId === this.#options.storeId) return this.#options.address;
    return this.#ports.links.addressOf(storeId) ?? '';
  }
}

function mayBalance({ policy, shards }: ClusterConfig): boolean {
  return policy.auto && shards.every(({ intent }) => intent === undefined);
}

function checkOptions(options: StoreOptions): void {
  const { shardCount, bootstrap, storeId } = options;
  if (!Number.isInteger(shardCount) || shardCount < 1 || shardCount > limits.shardCountMax) {
    throw new UsageError(`${shardCount} shards: use 1 to ${limits.shardCountMax}`);
  }
  if (bootstrap === undefined) return;
  if (!bootstrap.includes(storeId)) {
    throw new UsageError(`store ${storeId} is not among the stores to bootstrap (${bootstrap.join(', ')})`);
  }
  if (new Set(bootstrap).size !== bootstrap.length || bootstrap.length > limits.replicasPerGroup) {
    throw new UsageError(
      `bootstrap names 1 to ${limits.replicasPerGroup} different stores, not ${bootstrap.join(', ')}`,
    );
  }
}
