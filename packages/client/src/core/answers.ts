import { type BatchReply, BatchStatus, type Result, Status } from '@flotilla/wire';
import { fullJitterMs, seekDelayMs, throttleDelayMs } from './back-off.ts';
import type { Batch, BatchOwner } from './batch.ts';
import { failExpired } from './collect.ts';
import type { Dispatcher } from './dispatcher.ts';
import { type Trouble, troubles } from './failure.ts';
import { type Operation, Phase, WriteOperation } from './operation.ts';
import { tuning } from './options.ts';
import { isReachable } from './targets.ts';

/**
 * What each answer of a store means for the operations of a batch: an end, another place, or a pause.
 *
 * A refusal speaks of its attempt only. Once an attempt was lost, an operation stays in doubt until an answer
 * comes from its session row, whatever later attempts were refused for.
 */
export class Answers implements BatchOwner {
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  onResult(batch: Batch, operation: Operation, result: Result): void {
    if (operation.phase === Phase.done) return;
    const dispatcher = this.#dispatcher;
    this.#endDetour(operation, result);
    switch (result.status) {
      case Status.wrongGroup:
      case Status.moved:
        // This attempt is refused for certain, so the phase must not say that it is still on its way.
        operation.phase = Phase.waiting;
        this.#redirect(batch, operation, result.gid, result.epoch);
        return;
      case Status.notReady:
        this.#notReady(batch, operation, result.retryAfterMs);
        return;
      case Status.throttled:
        dispatcher.pause(
          operation,
          throttleDelayMs(dispatcher.ports.random, result.retryAfterMs, operation.pauses++),
          troubles.throttled,
        );
        return;
      case Status.tooManySessions:
        dispatcher.pause(
          operation,
          Math.max(result.retryAfterMs, this.#jitter(operation)),
          troubles.sessions,
        );
        return;
      case Status.sessionExpired:
        this.#sessionExpired(operation as WriteOperation);
        return;
      case Status.badSession:
        dispatcher.pause(operation, tuning.staleRoute + this.#jitter(operation), troubles.badSession);
        return;
      case Status.belowFloor:
        (operation as WriteOperation).doubtful = true;
        dispatcher.fail(
          operation,
          'protocol',
          `shard ${operation.shard} forgot a write that is still waited for: this is a defect, please report it`,
        );
        return;
      case Status.refused:
        operation.phase = Phase.waiting;
        dispatcher.fail(operation, 'refused', `shard ${operation.shard} refused the command: ${result.why}`);
        return;
      default:
        operation.result = result;
        dispatcher.settle(operation);
    }
  }

  onResults(batch: Batch): void {
    const { lane, link } = batch;
    this.#dispatcher.batchEnded(batch);
    this.#dispatcher.budget.succeed();
    lane.overloads = 0;
    lane.misses = 0;
    lane.trouble = undefined;
    if (lane.needsLeader) lane.group.confirmLeader(link.storeId);
    else if (batch.isBehind) lane.turn++;
  }

  onRefusal(batch: Batch, reply: Exclude<BatchReply, { status: typeof BatchStatus.results }>): void {
    const dispatcher = this.#dispatcher;
    dispatcher.batchEnded(batch);
    switch (reply.status) {
      case BatchStatus.notLeader:
        this.#notServing(batch, reply.leader, reply.address);
        this.#again(batch.list, troubles.leaderless, true);
        return;
      case BatchStatus.noGroup:
        dispatcher.needConfig();
        this.#notServing(batch, '', '');
        this.#again(batch.list, troubles.leaderless);
        return;
      case BatchStatus.unknown:
        this.#doubt(batch.list);
        this.#notServing(batch, '', '');
        this.#again(batch.list, troubles.unknown);
        return;
      case BatchStatus.overloaded:
        this.#overloaded(batch, reply.retryAfterMs, reply.why);
        return;
      case BatchStatus.expired:
        dispatcher.pauseLane(batch.lane, this.#jitterOf(0), overload('requests wait too long there'));
        this.#again(batch.list, overload('requests wait too long there'));
        return;
      case BatchStatus.notNow:
        this.#notNow(batch, reply.retryAfterMs, reply.why);
        return;
      case BatchStatus.malformed:
        for (const operation of batch.list) {
          if (operation.phase === Phase.done) continue;
          operation.phase = Phase.waiting;
          const advice = 'client and store may be of different versions';
          dispatcher.fail(
            operation,
            'protocol',
            `a store could not read the request: ${reply.why}; ${advice}`,
          );
        }
    }
  }

  onLost(batch: Batch, operations: readonly Operation[]): void {
    const { lane, link } = batch;
    this.#dispatcher.batchEnded(batch);
    if (lane.needsLeader && (lane.group.leader === link.storeId || lane.group.leader === undefined)) {
      lane.group.forgetLeader();
      lane.group.turn++;
      lane.group.noteMiss(this.#now());
    } else {
      lane.turn++;
    }
    this.#doubt(operations);
    this.#again(operations, troubles.lost);
  }

  #now(): number {
    return this.#dispatcher.ports.clock.monoMs();
  }

  #jitterOf(failures: number): number {
    return fullJitterMs(this.#dispatcher.ports.random, failures);
  }

  #jitter(operation: Operation): number {
    return this.#jitterOf(operation.pauses++);
  }

  #again(operations: readonly Operation[], trouble: Trouble, isOnItsWay = false): void {
    for (const operation of operations) {
      if (operation.phase === Phase.done) continue;
      operation.trouble = trouble;
      if (!isOnItsWay) operation.detour = undefined;
      this.#dispatcher.route(operation);
    }
  }

  #doubt(operations: readonly Operation[]): void {
    for (const operation of operations) if (operation instanceof WriteOperation) operation.doubtful = true;
  }

  /** A target that serves the shard proves the move to it; whatever else it says, the detour is over. */
  #endDetour(operation: Operation, result: Result): void {
    const { detour, shard } = operation;
    if (detour === undefined) return;
    operation.detour = undefined;
    if (isServed(result)) this.#dispatcher.routes.patch(shard, detour.gid, detour.epoch);
  }

  /**
   * The shard is arriving at the group, so that it is asked there again and nowhere else (but an operation that
   * was on a detour goes home); the writes to a shard that moves stand still meanwhile, which is why the pauses
   * are short at first.
   */
  #notReady(batch: Batch, operation: Operation, retryAfterMs: number): void {
    const dispatcher = this.#dispatcher;
    let delayMs = retryAfterMs;
    // With no time at all it is a read whose answer did not fit the frame any more.
    if (retryAfterMs > 0) {
      const now = this.#now();
      batch.isBehind = true;
      if (operation.arrivingSinceMs < 0) operation.arrivingSinceMs = now;
      const elapsedMs = now - operation.arrivingSinceMs;
      if (elapsedMs >= tuning.arrival)
        delayMs = Math.max(delayMs, seekDelayMs(dispatcher.ports.random, elapsedMs));
    }
    dispatcher.pause(operation, delayMs, troubles.notReady);
  }

  #redirect(batch: Batch, operation: Operation, gid: number, epoch: number): void {
    const dispatcher = this.#dispatcher;
    const { routes } = dispatcher;
    operation.arrivingSinceMs = -1;
    routes.patch(operation.shard, gid, epoch);
    const owner = routes.owner[operation.shard] as number;
    const learned = owner !== batch.lane.group.gid || routes.epoch[operation.shard] !== operation.epoch;
    operation.trouble = troubles.moved;
    if (learned && operation.redirects < tuning.redirectsMax) {
      operation.redirects++;
      dispatcher.route(operation);
      return;
    }
    batch.isBehind = true;
    dispatcher.needConfig();
    dispatcher.pause(operation, tuning.staleRoute + this.#jitter(operation), troubles.moved);
  }

  #sessionExpired(operation: WriteOperation): void {
    const session = operation.session;
    if (session !== undefined) session.expired = true;
    if (operation.doubtful) {
      failExpired(this.#dispatcher, operation);
      return;
    }
    this.#dispatcher.forgetSession(operation);
    operation.trouble = troubles.noSession;
    this.#dispatcher.route(operation);
  }

  /**
   * The store does not lead the group. A hint is followed at once, else the next replica is asked; after one
   * round without success the lane pauses, since an election takes its time. Two stores that name each other
   * make misses too, so they cannot keep a client running in circles.
   */
  #notServing(batch: Batch, leader: string, address: string): void {
    const { lane, link } = batch;
    const { links, ports } = this.#dispatcher;
    const now = this.#now();
    if (!lane.needsLeader) {
      lane.turn++;
      lane.misses++;
      if (lane.misses < lane.group.replicas.length) return;
      lane.misses = 0;
      this.#dispatcher.pauseLane(lane, this.#jitterOf(1), troubles.leaderless);
      return;
    }
    const group = lane.group;
    lane.trouble = troubles.leaderless;
    // Somebody else has led us on meanwhile: this answer is old news.
    if (group.leader !== undefined && group.leader !== link.storeId) return;
    group.forgetLeader();
    const soughtMs = group.noteMiss(now);
    group.misses++;
    if (leader !== '' && leader !== link.storeId) {
      links.learn(leader, address);
      if (isReachable(links, leader, now)) group.leader = leader;
    }
    if (group.leader === undefined) group.turn++;
    if (group.misses < Math.max(2, group.replicas.length)) return;
    group.misses = 0;
    const delay = seekDelayMs(ports.random, soughtMs);
    for (const other of group.lanes.values()) {
      if (other.needsLeader) this.#dispatcher.pauseLane(other, delay, troubles.leaderless);
    }
  }

  #overloaded(batch: Batch, retryAfterMs: number, why: string): void {
    const dispatcher = this.#dispatcher;
    const trouble = overload(why);
    if (!dispatcher.budget.take(this.#now())) {
      for (const operation of batch.list) {
        if (operation.phase === Phase.done) continue;
        operation.phase = Phase.waiting;
        const where = `group ${batch.lane.group.gid} on store ${batch.link.storeId}`;
        const advice = 'send less, or later';
        dispatcher.fail(
          operation,
          'overloaded',
          `${where} is overloaded: ${why}; the retry budget is spent: ${advice}`,
        );
      }
      return;
    }
    batch.lane.overloads++;
    const delay = Math.max(retryAfterMs, this.#jitterOf(batch.lane.overloads - 1));
    dispatcher.pauseLane(batch.lane, delay, trouble);
    this.#again(batch.list, trouble);
  }

  #notNow(batch: Batch, retryAfterMs: number, why: string): void {
    const { lane } = batch;
    const trouble = overload(why);
    lane.misses++;
    lane.turn++;
    if (lane.needsLeader || lane.misses >= lane.group.replicas.length) {
      const delay = Math.max(retryAfterMs, this.#jitterOf(Math.min(6, lane.misses)));
      this.#dispatcher.pauseLane(lane, delay, trouble);
      if (!lane.needsLeader) lane.misses = 0;
    }
    this.#again(batch.list, trouble);
  }
}

/** Only the group that serves a shard says such a thing about it. */
function isServed({ status }: Result): boolean {
  return (
    status !== Status.wrongGroup &&
    status !== Status.moved &&
    status !== Status.notReady &&
    status !== Status.refused
  );
}

function overload(text: string): Trouble {
  return { kind: 'overload', text };
}
