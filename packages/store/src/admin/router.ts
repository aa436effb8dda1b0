import { DecodeError, type StoreId } from '@flotilla/base';
import { type ControllerGroup, decodeControllerRequest, readControllerEntryHead } from '@flotilla/controller';
import type { Host, Replica } from '@flotilla/host';
import type { ColdCodec, ColdValue, PeerLinks, Timers } from '@flotilla/ports';
import {
  type AdminParams,
  type AdminReply,
  type AdminRequest,
  type ClusterConfig,
  type MoveProgress,
  parseAdminRequest,
} from '@flotilla/wire';
import type { Forwarding } from '../forwarding.ts';
import { Changes, type InternalCommand } from './changes.ts';
import { configReply, configsReply } from './configs.ts';
import type { LoadMeter } from './load-meter.ts';
import type { MoveWatch } from './move-watch.ts';
import { makeMovesPage } from './moves-page.ts';
import { decodeMovesReport, encodeMovesReport, type MovesReport } from './moves-report.ts';
import { Relay } from './relay.ts';
import { type Answer, failure, objectOf, success } from './replies.ts';
import { decodeReport, encodeReport, makeReport, type StoreReport } from './report.ts';
import { makeStatus } from './status.ts';
import { Survey } from './survey.ts';
import { transfer } from './transfer.ts';

export interface AdminRouterOptions {
  readonly storeId: StoreId;
  readonly host: Host;
  readonly links: PeerLinks;
  readonly timers: Timers;
  readonly codec: ColdCodec;
  readonly forwarding: () => Forwarding;
  readonly stampFor: (replica: Replica) => number;
  readonly config: () => ClusterConfig;
  readonly clusterId: () => string;
  readonly aheadMs: () => number;
  /** Open moves into groups that are led here, and those that ended lately. */
  readonly moves: () => readonly MoveProgress[];
  readonly loads: LoadMeter;
  readonly watch: MoveWatch;
}

/**
 * Admin requests: answered here if this store leads the group that they are about, else passed on to the
 * store that does. Each request passes through few stores and never waits for ever.
 */
export class AdminRouter {
  readonly #options: AdminRouterOptions;
  readonly #relay: Relay;
  readonly #survey: Survey;
  readonly #changes: Changes;

  constructor(options: AdminRouterOptions) {
    this.#options = options;
    this.#relay = new Relay(options);
    this.#survey = new Survey(options);
    this.#changes = new Changes({
      ...options,
      relay: this.#relay,
      reports: (done) => this.#reports(done),
    });
  }

  /** A client's request. */
  fromClient(cold: Uint8Array, author: string, answer: (cold: Uint8Array) => void): void {
    const reply = this.#replyTo(answer);
    let request: AdminRequest;
    try {
      request = parseAdminRequest(this.#options.codec.decode(cold));
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      reply(failure('bad-request', `the request cannot be read: ${cause.message}`));
      return;
    }
    this.#handle(request, author, 0, reply);
  }

  overloaded(answer: (cold: Uint8Array) => void): void {
    const what = 'this connection has too many requests in flight: wait for their answers';
    this.#replyTo(answer)(failure('overloaded', what, 'backoff'));
  }

  /** A question of another store: a client's request on its way, or one of the stores' own. */
  fromStore(from: StoreId, cold: Uint8Array, hops: number, answer: (cold: Uint8Array) => void): void {
    const { codec } = this.#options;
    const reply = this.#replyTo(answer);
    try {
      const value = objectOf(codec.decode(cold));
      if (value.internal === 'report') {
        reply(success({ report: encodeReport(this.#ownReport()) }));
      } else if (value.internal === 'moves') {
        reply(success({ report: encodeMovesReport(this.#ownMoves(value.all === true)) }));
      } else if (value.internal === 'command') {
        this.#changes.internal(commandOf(codec, value.entry), `store ${from}`, hops, reply);
      } else {
        const author = typeof value.author === 'string' ? value.author : `store ${from}`;
        this.#handle(parseAdminRequest(value), author, hops, reply);
      }
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      reply(failure('bad-request', `the request cannot be read: ${cause.message}`));
    }
  }

  /** A command of this store itself, such as its registration. Repeated by its driver until the config shows it. */
  internal(command: InternalCommand, done: (reply: AdminReply) => void): void {
    this.#changes.internal(command, `store ${this.#options.storeId}`, 0, done);
  }

  /** Balances by load, if this store leads the controller group and anything would move. */
  balance(done: () => void): void {
    this.#changes.balance(done);
  }

  #replyTo(answer: (cold: Uint8Array) => void): Answer {
    return (reply) => answer(this.#options.codec.encode(reply as unknown as ColdValue));
  }

  #handle(request: AdminRequest, author: string, hops: number, reply: Answer): void {
    switch (request.method) {
      case 'transferLeader':
        this.#transfer(request, author, hops, reply);
        return;
      case 'config':
      case 'configs':
        this.#configs(request, author, hops, reply);
        return;
      case 'moves':
        this.#moves(request.params, reply);
        return;
      case 'status':
        this.#status(request.params.after, reply);
        return;
      default:
        this.#changes.request(request, author, hops, reply);
    }
  }

  #configs(
    request: Extract<AdminRequest, { method: 'config' | 'configs' }>,
    author: string,
    hops: number,
    reply: Answer,
  ): void {
    const replica = this.#options.host.replica(0);
    if (replica === undefined || !replica.isServing) {
      this.#relay.passOn(0, { ...request, author } as unknown as ColdValue, hops, reply);
      return;
    }
    let answer: AdminReply = failure(
      'no-leader',
      'the controller group changes its leader: try again',
      'backoff',
    );
    // What is stored may prove damaged: then this replica stops, and nothing else.
    this.#options.host.attempt(replica, () => {
      const machine = replica.machine as ControllerGroup;
      const { method, params } = request;
      answer = method === 'config' ? configReply(machine, params) : configsReply(machine, params);
    });
    reply(answer);
  }

  #transfer(
    request: Extract<AdminRequest, { method: 'transferLeader' }>,
    author: string,
    hops: number,
    reply: Answer,
  ): void {
    const { gid, store } = request.params;
    const replica = this.#options.host.replica(gid);
    if (replica?.isLeader === true) {
      transfer(this.#options, replica, store, reply);
      return;
    }
    if (gid !== 0 && !this.#options.config().groups.some((group) => group.gid === gid)) {
      reply(failure('unknown-group', `there is no group ${gid}: see flotilla config`));
      return;
    }
    this.#relay.passOn(gid, { ...request, author } as unknown as ColdValue, hops, reply);
  }

  // What all stores are asked

  #ownReport(): StoreReport {
    const { storeId, host, aheadMs, loads, watch } = this.#options;
    return makeReport({ storeId, host, aheadMs: aheadMs(), loads, stuck: watch.stuck() });
  }

  #reports(done: (reports: ReadonlyMap<StoreId, StoreReport>) => void): void {
    this.#survey.ask({ internal: 'report' }, this.#ownReport(), decodeReport, done);
  }

  #status(after: string, reply: Answer): void {
    const { clusterId, config } = this.#options;
    this.#reports((reports) => {
      reply(success(makeStatus({ clusterId: clusterId(), config: config(), reports, after })));
    });
  }

  #ownMoves(all: boolean): MovesReport {
    const leads: number[] = [];
    for (const replica of this.#options.host.replicas()) if (replica.isLeader) leads.push(replica.group.gid);
    const moves = this.#options.moves();
    return {
      moves: all ? moves : moves.filter(({ state }) => state !== 'done' && state !== 'cancelled'),
      leads,
    };
  }

  #moves({ all, after }: AdminParams['moves'], reply: Answer): void {
    const question = { internal: 'moves', all };
    this.#survey.ask(question, this.#ownMoves(all), decodeMovesReport, (reports) => {
      reply(success(makeMovesPage({ config: this.#options.config(), reports, all, after })));
    });
  }
}

/** What a store may ask of the controller's leader, in the same bytes as in the log and read as strictly. */
function commandOf(codec: ColdCodec, entry: ColdValue): InternalCommand {
  if (!(entry instanceof Uint8Array)) throw new DecodeError('a command between stores is an entry');
  const { command } = decodeControllerRequest(codec, readControllerEntryHead(entry).body);
  switch (command.kind) {
    case 'registerStore':
    case 'found':
    case 'done':
    case 'cancelled':
    case 'tooLate':
      return command;
    default:
      throw new DecodeError(`stores do not ask for ${command.kind}`);
  }
}
