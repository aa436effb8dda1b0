import { DecodeError, type StoreId } from '@flotilla/base';
import {
  type ControllerCommand,
  type ControllerGroup,
  encodeControllerEntry,
  encodeLoads,
  movesBetween,
  type PlannedMove,
} from '@flotilla/controller';
import type { Host, Replica } from '@flotilla/host';
import type { ColdCodec, ColdValue } from '@flotilla/ports';
import type { AdminReply, AdminRequest, ChangeResult } from '@flotilla/wire';
import { ControllerProposal } from '../controller-proposal.ts';
import { makeMovePlan, shardLoads } from './move-plan.ts';
import type { Relay } from './relay.ts';
import { type Answer, failure, success } from './replies.ts';
import type { StoreReport } from './report.ts';

/** What stores ask of each other besides what clients may ask. */
export type InternalCommand = Extract<
  ControllerCommand,
  { kind: 'registerStore' | 'found' | 'done' | 'cancelled' | 'tooLate' }
>;

/** Requests of clients that end as a command of the controller. */
export type ChangeRequest = Extract<
  AdminRequest,
  { method: 'join' | 'leave' | 'move' | 'rebalance' | 'pause' | 'resume' | 'cancel' | 'policy' }
>;

type Reports = ReadonlyMap<StoreId, StoreReport>;

export interface ChangesOptions {
  readonly storeId: StoreId;
  readonly host: Host;
  readonly codec: ColdCodec;
  readonly relay: Relay;
  readonly stampFor: (replica: Replica) => number;
  /** Asks all stores; the map has those that answered. */
  readonly reports: (done: (reports: Reports) => void) => void;
}

/** Changes of the cluster: carried out, or only planned, by the leader of the controller group. */
export class Changes {
  readonly #options: ChangesOptions;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  request(request: ChangeRequest, author: string, hops: number, reply: Answer): void {
    const { relay } = this.#options;
    if (this.#leader() === undefined) {
      relay.passOn(0, { ...request, author } as unknown as ColdValue, hops, reply);
      return;
    }
    if (request.method !== 'rebalance') {
      this.#carryOut(request, commandOf(request), author, undefined, reply);
      return;
    }
    this.#options.reports((reports) => {
      const replica = this.#leader();
      if (replica === undefined) reply(leaderChanged('its leader just changed'));
      else this.#carryOut(request, rebalanceCommand(replica, reports), author, reports, reply);
    });
  }

  /** A command of this store itself or of another one, which has its own driver that repeats it. */
  internal(command: InternalCommand, author: string, hops: number, reply: Answer): void {
    const replica = this.#leader();
    if (replica !== undefined) {
      this.#propose(replica, command, '', author, reply);
      return;
    }
    const entry = encodeControllerEntry(this.#options.codec, command, '', author);
    this.#options.relay.passOn(0, { internal: 'command', entry }, hops, reply);
  }

  /** Balances by load, if this store leads the controller group and anything would move. */
  balance(done: () => void): void {
    this.#options.reports((reports) => {
      const replica = this.#leader();
      if (replica === undefined || !replica.isServing) {
        done();
        return;
      }
      const command = rebalanceCommand(replica, reports);
      const { moves } = machineOf(replica).preview(command);
      if (moves.length === 0) done();
      else this.#propose(replica, command, '', `store ${this.#options.storeId}, by policy`, done);
    });
  }

  #leader(): Replica | undefined {
    const replica = this.#options.host.replica(0);
    return replica?.isLeader === true ? replica : undefined;
  }

  #carryOut(
    request: ChangeRequest,
    command: ControllerCommand,
    author: string,
    reports: Reports | undefined,
    reply: Answer,
  ): void {
    const replica = this.#leader();
    if (replica === undefined) {
      reply(leaderChanged('its leader just changed'));
      return;
    }
    if ('plan' in request.params && request.params.plan) {
      this.#preview(replica, command, reports, reply);
      return;
    }
    const { requestId } = request.params;
    this.#propose(replica, command, requestId, author, (answer) => {
      if (!answer.ok || !('plan' in request.params)) reply(answer);
      else this.#withPlan(replica, answer.result as Omit<ChangeResult, 'plan'>, undefined, reports, reply);
    });
  }

  #preview(replica: Replica, command: ControllerCommand, reports: Reports | undefined, reply: Answer): void {
    if (!replica.isServing) {
      reply(leaderChanged('its leader has just begun'));
      return;
    }
    const { answer, moves } = machineOf(replica).preview(command);
    if (answer.ok) this.#withPlan(replica, answer, moves, reports, reply);
    else reply(answer);
  }

  /** `moves`: what would move; undefined if the change is made: then its config tells, also after a repeat. */
  #withPlan(
    replica: Replica,
    result: Omit<ChangeResult, 'plan'>,
    moves: readonly PlannedMove[] | undefined,
    reports: Reports | undefined,
    reply: Answer,
  ): void {
    const machine = machineOf(replica);
    const planned = moves ?? (result.changed ? movesOf(machine, result.configNumber) : []);
    const { config } = machine;
    const finish = (known: Reports): void => {
      reply(success({ ...result, plan: makeMovePlan(planned, { config, reports: known }) }));
    };
    if (reports !== undefined) finish(reports);
    // Only what is there to be copied has a size.
    else if (planned.every(({ from }) => from === 0)) finish(new Map());
    else this.#options.reports(finish);
  }

  #propose(
    replica: Replica,
    command: ControllerCommand,
    requestId: string,
    author: string,
    reply: Answer,
  ): void {
    const { host, codec, stampFor } = this.#options;
    let proposal: ControllerProposal;
    try {
      proposal = new ControllerProposal({
        ...{ codec, command, requestId, author },
        stamp: () => stampFor(replica),
        done: (outcome) => {
          if (!('refused' in outcome)) {
            reply(outcome.ok ? success(outcome) : outcome);
          } else if (outcome.refused === 'lost') {
            const what = 'the controller lost its leader meanwhile: the change may or may not have happened';
            reply(failure('unknown-outcome', `${what}; ask again with the same request id`, 'backoff'));
          } else {
            const { refused } = outcome;
            reply(leaderChanged(refused.kind === 'overloaded' ? refused.what : 'its leader just changed'));
          }
        },
      });
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      reply(failure('bad-request', cause.message));
      return;
    }
    host.propose(replica, proposal);
  }
}

function leaderChanged(why: string): AdminReply {
  return failure('no-leader', `the controller group cannot take the change now: ${why}`, 'backoff');
}

function machineOf(replica: Replica): ControllerGroup {
  return replica.machine as ControllerGroup;
}

/** What the change that made this config set in motion. */
function movesOf(machine: ControllerGroup, configNumber: number): readonly PlannedMove[] {
  const after = machine.configAt(configNumber);
  const before = machine.configAt(configNumber - 1);
  return after === undefined || before === undefined ? [] : movesBetween(before, after);
}

function rebalanceCommand(replica: Replica, reports: Reports): ControllerCommand {
  return { kind: 'rebalance', loads: encodeLoads(shardLoads(machineOf(replica).config, reports)) };
}

function commandOf(request: Exclude<ChangeRequest, { method: 'rebalance' }>): ControllerCommand {
  const { method, params } = request;
  switch (method) {
    case 'join':
      return { kind: method, groups: params.groups };
    case 'leave':
      return { kind: method, gids: params.gids };
    case 'move':
      return { kind: method, shard: params.shard, gid: params.gid };
    case 'pause':
    case 'resume':
    case 'cancel':
      return { kind: method, moveId: params.moveId, shard: params.shard };
    case 'policy': {
      const { auto, moveBytesPerSecond, movesPerStore } = params;
      return { kind: method, auto, moveBytesPerSecond, movesPerStore };
    }
  }
}
