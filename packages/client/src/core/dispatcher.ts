import type { Outcome } from '@flotilla/base';
import { neverRare, type RareBranches, type TimerId } from '@flotilla/ports';
import { FrameKind, shardOf } from '@flotilla/wire';
import { Answers } from './answers.ts';
import { RetryBudget } from './back-off.ts';
import { Batch, encodeReads, encodeWrites } from './batch.ts';
import { collectReads, collectWrites } from './collect.ts';
import { chooseDetours } from './detours.ts';
import { type ClientFailure, type FailureCode, failure, type Trouble, troubles } from './failure.ts';
import { Group, type Lane } from './group.ts';
import type { Link } from './link.ts';
import type { Links } from './links.ts';
import { BY_KEY, type Operation, Phase, type ReadOperation, WriteOperation } from './operation.ts';
import { type ClientPorts, type Settings, tuning } from './options.ts';
import type { Routes } from './routes.ts';
import type { Session } from './session.ts';
import { chooseTarget } from './targets.ts';

/**
 * Where operations wait, and when they leave. Everything that was submitted in one turn of the event loop is
 * looked at once, at its end: per group one batch of writes and one of reads, as long as few are on their
 * way; the more batches are, the larger the next one must be, so that load makes batches grow.
 *
 * An operation is always in exactly one place: in a lane, in a batch on its way, waiting for a pause to end,
 * or parked until a config says where its shard lives. It leaves through `settle` only, once.
 */

export function outcomeOf(operation: Operation): Outcome {
  const isDoubtful =
    operation instanceof WriteOperation && (operation.doubtful || operation.phase === Phase.sent);
  return isDoubtful ? 'unknown' : 'not-applied';
}

function endDetour(operation: Operation): void {
  operation.detour = undefined;
}

export interface DispatcherParts {
  readonly ports: ClientPorts;
  readonly settings: Settings;
  readonly links: Links;
  readonly routes: Routes;
  /** A newer config is wanted. */
  readonly needConfig: () => void;
}

export class Dispatcher {
  readonly ports: ClientPorts;
  readonly links: Links;
  readonly routes: Routes;
  readonly settings: Settings;
  readonly needConfig: () => void;
  readonly budget: RetryBudget = new RetryBudget();
  readonly #groups = new Map<number, Group>();
  readonly #answers: Answers;
  readonly #rare: RareBranches;
  /** Lanes in which something waits. */
  readonly #backlog = new Set<Lane>();
  readonly #batches = new Set<Batch>();
  #waiting: Operation[] = [];
  #waitTimer: TimerId | undefined;
  #waitAtMs = Number.POSITIVE_INFINITY;
  #parked: Operation[] = [];
  #count = 0;
  #bytes = 0;
  #isFlushDue = false;
  #sweepTimer: TimerId | undefined;
  #sweepAtMs = Number.POSITIVE_INFINITY;
  #windowBlocks = false;
  #closed: ClientFailure | undefined;
  readonly #flush = (): void => this.#flushNow();

  constructor(parts: DispatcherParts) {
    this.ports = parts.ports;
    this.#rare = parts.ports.rare ?? neverRare;
    this.settings = parts.settings;
    this.links = parts.links;
    this.routes = parts.routes;
    this.needConfig = parts.needConfig;
    this.#answers = new Answers(this);
  }

  /** Operations that are not settled yet. */
  get openOperations(): number {
    return this.#count;
  }

  get parkedOperations(): number {
    return this.#parked.length;
  }

  /** Takes an operation whose deadline is set. It may be settled before this returns. */
  submit(operation: WriteOperation | ReadOperation): void {
    operation.measure();
    this.#count++;
    this.#bytes += operation.bytes;
    if (this.#closed !== undefined) {
      this.fail(operation, this.#closed.code, this.#closed.message);
      return;
    }
    if (this.#count > this.settings.operationsMax || this.#bytes > this.settings.operationBytesMax) {
      const held = `${this.#count} operations with ${this.#bytes} bytes`;
      const advice = 'wait for some of them before you start more';
      this.fail(operation, 'overloaded', `this client already holds ${held}: ${advice}`);
      return;
    }
    if (operation.deadlineMs < this.#sweepAtMs) this.#armSweep(operation.deadlineMs);
    this.route(operation);
  }

  /** Ends an operation on the caller's wish. What was sent may still be executed. */
  giveUp(operation: Operation, code: FailureCode, message: string, cause?: unknown): void {
    if (operation.phase === Phase.done || operation.phase === Phase.idle) return;
    this.fail(operation, code, message, cause);
  }

  fail(operation: Operation, code: FailureCode, message: string, cause?: unknown): void {
    operation.failure = failure(code, message, outcomeOf(operation), { shard: operation.shard }, cause);
    this.settle(operation);
  }

  settle(operation: Operation): void {
    operation.phase = Phase.done;
    this.#count--;
    this.#bytes -= operation.bytes;
    if (operation instanceof WriteOperation && operation.session !== undefined) this.#release(operation);
    operation.settled();
  }

  /** The write gets a new identity at its next attempt. Only for one that surely was never executed. */
  forgetSession(operation: WriteOperation): void {
    this.#release(operation);
    operation.session = undefined;
    operation.seq = 0;
  }

  /** Puts the operation where it can wait for its group. */
  route(operation: Operation): void {
    const { routes } = this;
    if (routes.shardCount === 0) {
      this.#park(operation, troubles.noConfig);
      return;
    }
    if (operation.shard === BY_KEY) {
      operation.shard = shardOf(operation.key, routes.shardCount, this.ports.hasher);
    }
    const gid = routes.gidFor(operation);
    const group = gid === 0 ? undefined : this.#group(gid);
    if (group === undefined) {
      this.#park(operation, gid === 0 ? troubles.noOwner : troubles.noGroup);
      return;
    }
    const isWrite = operation instanceof WriteOperation;
    const lane = isWrite ? group.writeLane() : this.#readLane(group, operation as ReadOperation);
    const isRepeat = operation.phase !== Phase.idle;
    operation.phase = Phase.queued;
    if (operation.detour !== undefined) lane.hasGuests = true;
    if (isRepeat) lane.again.push(operation);
    else lane.fresh.push(operation);
    this.#backlog.add(lane);
    this.wake();
  }

  /** Sends it again after a pause of its own. */
  pause(operation: Operation, delayMs: number, trouble: Trouble): void {
    operation.trouble = trouble;
    operation.phase = Phase.waiting;
    operation.redirects = 0;
    operation.retryAtMs = this.ports.clock.monoMs() + Math.max(1, delayMs);
    this.#waiting.push(operation);
    this.#armWait(operation.retryAtMs);
  }

  /** Nothing of the lane is sent before this time has passed. */
  pauseLane(lane: Lane, delayMs: number, trouble: Trouble): void {
    const now = this.ports.clock.monoMs();
    lane.trouble = trouble;
    lane.pausedUntilMs = Math.max(lane.pausedUntilMs, now + delayMs);
    if (lane.timer !== undefined) this.ports.timers.clear(lane.timer);
    lane.timer = undefined;
    this.lookAgain(lane, lane.pausedUntilMs - now);
  }

  /** Something changed: there may be work to send at the end of this turn. */
  wake(): void {
    if (this.#isFlushDue || this.#backlog.size === 0) return;
    this.#isFlushDue = true;
    this.ports.timers.soon(this.#flush);
  }

  /** A newer config is known, or a shard was found elsewhere. */
  onRoutes(): void {
    const config = this.routes.config;
    if (config === undefined) return;
    const records = new Map(config.groups.map((record) => [record.gid, record]));
    const homeless: Operation[] = [];
    for (const [gid, group] of this.#groups) {
      const record = records.get(gid);
      if (record !== undefined) {
        group.update(record);
        continue;
      }
      this.#groups.delete(gid);
      for (const lane of group.lanes.values()) {
        homeless.push(...lane.again.takeAll(), ...lane.fresh.takeAll());
        this.#backlog.delete(lane);
      }
    }
    homeless.push(...this.#parked);
    this.#parked = [];
    for (const operation of homeless) if (operation.phase !== Phase.done) this.route(operation);
    // What waits because nobody knew where its shard is need wait no longer.
    for (const operation of this.#waiting) {
      const isFound = this.routes.epochFor(operation) !== operation.epoch;
      if (operation.trouble === troubles.moved && isFound) operation.retryAtMs = 0;
    }
    this.#endWaits();
    this.wake();
  }

  /** Ends everything that is open. */
  close(message: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = failure('closed', message);
    this.#forEachOpen((operation) => this.fail(operation, 'closed', message));
    for (const timer of [this.#sweepTimer, this.#waitTimer]) {
      if (timer !== undefined) this.ports.timers.clear(timer);
    }
    for (const group of this.#groups.values()) {
      for (const lane of group.lanes.values())
        if (lane.timer !== undefined) this.ports.timers.clear(lane.timer);
    }
    this.#backlog.clear();
  }

  /** A session that takes new numbers: the target's own, else any other. */
  sessionFor(link: Link, nowMs: number): Session | undefined {
    const own = link.freshSession(nowMs);
    if (own !== undefined) return own;
    const others = this.links.all().filter((other) => other !== link);
    for (const other of others) {
      const lent = other.isOpen ? other.freshSession(nowMs) : other.session;
      if (lent?.isFresh(nowMs) === true) return lent;
    }
    // A store whose clock is off issues none; any other will do.
    others.find((other) => !other.isOpen && other.readiness(nowMs) === 'soon');
    return undefined;
  }

  /** The floor of that session has to rise before it can take more. */
  onWindowFull(link: Link, nowMs: number): void {
    this.#windowBlocks = true;
    link.onWindowFull(nowMs);
  }

  batchEnded(batch: Batch): void {
    this.#batches.delete(batch);
  }

  #release(operation: WriteOperation): void {
    const rose = (operation.session as Session).release(operation.seq);
    if (!rose || !this.#windowBlocks) return;
    this.#windowBlocks = false;
    this.wake();
  }

  #group(gid: number): Group | undefined {
    let group = this.#groups.get(gid);
    if (group !== undefined) return group;
    const record = this.routes.config?.groups.find((candidate) => candidate.gid === gid);
    if (record === undefined) return undefined;
    group = new Group(record, this.ports.random.below(Math.max(1, record.replicas.length)));
    this.#groups.set(gid, group);
    return group;
  }

  #readLane(group: Group, operation: ReadOperation): Lane {
    return group.readLane(operation.level, operation.maxAgeMs);
  }

  #park(operation: Operation, trouble: Trouble): void {
    operation.trouble = trouble;
    operation.phase = Phase.waiting;
    this.#parked.push(operation);
    this.needConfig();
  }

  #flushNow(): void {
    this.#isFlushDue = false;
    const now = this.ports.clock.monoMs();
    for (const lane of [...this.#backlog]) {
      while (this.#pump(lane, now));
      if (lane.length > 0 && lane.sortedVersion !== this.routes.version) this.#sort(lane);
      if (lane.length === 0) this.#backlog.delete(lane);
    }
  }

  /** Sends the next batch of the lane; false if nothing more can be sent now. */
  #pump(lane: Lane, now: number): boolean {
    const { group } = lane;
    while (lane.peek()?.phase === Phase.done) lane.shift();
    if (lane.length === 0) return false;
    if (now < lane.pausedUntilMs) {
      if (lane.trouble === troubles.leaderless) this.#detour(lane, now);
      return false;
    }
    const onTheirWay = lane.batchesInFlight;
    if (onTheirWay >= this.settings.batchesInFlightMax) return false;
    if (onTheirWay > 0) {
      // The first answer will say whether this store leads at all.
      if (lane.needsLeader && !group.confirmed) return false;
      if (lane.length < 1 << (onTheirWay - 1) || this.#rare.take('window-of-one')) return false;
    }
    if (lane.needsLeader && this.#rare.take('leader-forgotten')) group.forgetLeader();
    if (!lane.needsLeader && this.#rare.take('other-replica')) lane.turn++;
    const choice = chooseTarget(lane, this.links, now);
    if ('link' in choice) {
      const room = this.settings.inFlightMax - choice.link.inFlight;
      return room > 0 && this.#send(lane, choice.link, room, now);
    }
    group.noteMiss(now);
    let { waitMs } = choice;
    if (choice.allDead) {
      lane.trouble = troubles.unreachable;
      // Its stores may have other addresses by now, or other replicas.
      this.needConfig();
      waitMs = Math.min(waitMs, this.#detour(lane, now));
    }
    if (lane.length > 0) this.lookAgain(lane, waitMs);
    return false;
  }

  /**
   * Nobody leads the lane's group. Operations that were on a detour to it go home, some of those at home on a
   * detour; says in how many ms the next may.
   */
  #detour(lane: Lane, now: number): number {
    if (lane.hasGuests) {
      lane.hasGuests = false;
      for (const queue of [lane.again, lane.fresh]) queue.each(endDetour);
      this.#sort(lane);
    }
    const { marked, againMs } = chooseDetours(lane.group, this.routes, this.ports.random, now);
    if (marked > 0) for (const other of lane.group.lanes.values()) this.#sort(other);
    return againMs;
  }

  /** Sends on what does not belong to the lane, or no more. */
  #sort(lane: Lane): void {
    lane.sortedVersion = this.routes.version;
    for (const queue of [lane.again, lane.fresh]) {
      for (const operation of queue.takeAll()) {
        if (operation.phase === Phase.done) continue;
        if (this.routes.gidFor(operation) === lane.group.gid) queue.push(operation);
        else this.route(operation);
      }
    }
  }

  /** Sends one batch; false if none could be made now. */
  #send(lane: Lane, link: Link, room: number, now: number): boolean {
    const { settings } = this;
    const isProbe = lane.needsLeader && !lane.group.confirmed;
    const isOne = this.#rare.take('batch-of-one');
    const most = Math.min(
      isOne ? 1 : room,
      settings.batchCommandsMax,
      isProbe ? tuning.probeCommands : Number.MAX_SAFE_INTEGER,
    );
    const request = link.nextRequest();
    if (lane.isWrite) {
      const writes = collectWrites(this, lane, link, most, now);
      if (writes === undefined) return false;
      const { list, session, bytes } = writes;
      const out = encodeWrites(list, session, lane.group.gid, request, this.routes, bytes, now);
      const batch = new Batch(this.#answers, lane, link, list);
      this.#batches.add(batch);
      link.request(out, FrameKind.write, request, batch);
      return true;
    }
    const reads = collectReads(this, lane, most);
    if (reads === undefined) return false;
    const out = encodeReads(reads.list, lane, request, this.routes, reads.bytes, now);
    const batch = new Batch(this.#answers, lane, link, reads.list);
    this.#batches.add(batch);
    link.request(out, FrameKind.read, request, batch);
    return true;
  }

  /** Looks at the lane again by then, if nothing else happens before. */
  lookAgain(lane: Lane, delayMs: number): void {
    if (lane.timer !== undefined) return;
    lane.timer = this.ports.timers.set(delayMs, () => {
      lane.timer = undefined;
      // A pause always replaces the timer, so it ends with this one, whatever rounding says.
      lane.pausedUntilMs = 0;
      this.wake();
    });
  }

  #armWait(atMs: number): void {
    if (atMs >= this.#waitAtMs) return;
    if (this.#waitTimer !== undefined) this.ports.timers.clear(this.#waitTimer);
    this.#waitAtMs = atMs;
    this.#waitTimer = this.ports.timers.set(atMs - this.ports.clock.monoMs(), () => this.#endWaits());
  }

  #endWaits(): void {
    if (this.#waitTimer !== undefined) this.ports.timers.clear(this.#waitTimer);
    this.#waitTimer = undefined;
    this.#waitAtMs = Number.POSITIVE_INFINITY;
    const now = this.ports.clock.monoMs();
    const all = this.#waiting;
    this.#waiting = [];
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const operation of all) {
      if (operation.phase === Phase.done) continue;
      if (operation.retryAtMs <= now) {
        this.route(operation);
        continue;
      }
      this.#waiting.push(operation);
      if (operation.retryAtMs < earliestMs) earliestMs = operation.retryAtMs;
    }
    if (earliestMs !== Number.POSITIVE_INFINITY) this.#armWait(earliestMs);
  }

  #armSweep(atMs: number): void {
    if (this.#sweepTimer !== undefined) this.ports.timers.clear(this.#sweepTimer);
    const now = this.ports.clock.monoMs();
    this.#sweepAtMs = Math.max(atMs, now);
    this.#sweepTimer = this.ports.timers.set(this.#sweepAtMs - now, () => this.#sweep());
  }

  /** One timer serves all deadlines: it fires at the earliest, and most operations are gone long before. */
  #sweep(): void {
    this.#sweepTimer = undefined;
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    const now = this.ports.clock.monoMs();
    let nextMs = Number.POSITIVE_INFINITY;
    this.#forEachOpen((operation, lane) => {
      if (operation.deadlineMs <= now) this.#expire(operation, lane);
      else if (operation.deadlineMs < nextMs) nextMs = operation.deadlineMs;
    });
    // An operation that was submitted by a callback just now has armed the timer for itself.
    if (nextMs < this.#sweepAtMs) this.#armSweep(Math.max(nextMs, now + tuning.sweepMin));
  }

  #expire(operation: Operation, lane: Lane | undefined): void {
    const trouble = lane?.trouble ?? operation.trouble;
    const where =
      lane === undefined ? `shard ${operation.shard}` : `shard ${operation.shard}, group ${lane.group.gid}`;
    const outcome = outcomeOf(operation);
    const isAway =
      trouble?.kind === 'unreachable' || trouble?.kind === 'leaderless' || trouble?.kind === 'route';
    if (isAway && outcome === 'not-applied') {
      const advice = 'see `flotilla status`, or allow more time';
      const stores = trouble.kind === 'unreachable' ? ` (${this.links.describe()})` : '';
      this.fail(
        operation,
        'unavailable',
        `no answer in time from ${where}: ${trouble.text}${stores}; ${advice}`,
      );
      return;
    }
    const why = trouble?.text ?? 'the store did not answer in time';
    const fate =
      outcome === 'unknown'
        ? 'it may or may not have been applied: read before you repeat it'
        : 'nothing was applied';
    this.fail(operation, 'deadline', `the deadline passed for ${where}: ${why}; ${fate}`);
  }

  #forEachOpen(visit: (operation: Operation, lane: Lane | undefined) => void): void {
    const open = (operation: Operation, lane: Lane | undefined): void => {
      if (operation.phase !== Phase.done) visit(operation, lane);
    };
    for (const batch of [...this.#batches]) for (const operation of batch.list) open(operation, batch.lane);
    for (const group of [...this.#groups.values()]) {
      for (const lane of [...group.lanes.values()]) {
        // What a callback submits meanwhile goes to the end of the queue, and its deadline is later.
        for (const queue of [lane.again, lane.fresh]) queue.each((operation) => open(operation, lane));
      }
    }
    for (const operation of [...this.#waiting, ...this.#parked]) open(operation, undefined);
    this.#parked = this.#parked.filter((operation) => operation.phase !== Phase.done);
    this.#waiting = this.#waiting.filter((operation) => operation.phase !== Phase.done);
  }
}
