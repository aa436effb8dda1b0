import { DecodeError, type StoreId, Writer } from '@flotilla/base';
import {
  type ControllerCommand,
  type ControllerGroup,
  decodeControllerRequest,
  encodeControllerEntry,
  readControllerEntryHead,
} from '@flotilla/controller';
import type { Host, Replica } from '@flotilla/host';
import type { ColdCodec, ColdValue, PeerLinks, Random, Timers } from '@flotilla/ports';
import {
  type AdminFailure,
  type AdminReply,
  type AdminRequest,
  type ClusterConfig,
  parseAdminRequest,
  type StoreRecord,
  writeConfig,
} from '@flotilla/wire';
import { ControllerProposal } from '../controller-proposal.ts';
import type { Forwarding } from '../forwarding.ts';
import { decodeReport, encodeReport, makeReport, type StoreReport } from './report.ts';
import { makeStatus } from './status.ts';

const FORWARD_MS = 5_000;
const REPORT_MS = 600;
const TRANSFER_MS = 3_000;
const TRANSFER_POLL_MS = 20;

/** What stores ask of each other besides what clients may ask. */
export type InternalCommand = Extract<ControllerCommand, { kind: 'registerStore' | 'done' | 'found' }>;

export interface AdminRouterOptions {
  readonly storeId: StoreId;
  readonly host: Host;
  readonly links: PeerLinks;
  readonly timers: Timers;
  readonly random: Random;
  readonly codec: ColdCodec;
  readonly forwarding: () => Forwarding;
  readonly stampFor: (replica: Replica) => number;
  readonly config: () => ClusterConfig;
  readonly clusterId: () => string;
  readonly aheadMs: () => number;
}

type Answer = (reply: AdminReply) => void;

function failure(code: string, message: string, retry: AdminFailure['retry'] = 'never'): AdminFailure {
  return { ok: false, code, message, retry };
}

/**
 * Admin requests: answered here if this store leads the group that they are about, else passed on to the
 * store that does. Each request passes through few stores and never waits for ever.
 */
export class AdminRouter {
  readonly #options: AdminRouterOptions;
  /** Turns through the controller's stores while none is known to lead. */
  #next = 0;

  constructor(options: AdminRouterOptions) {
    this.#options = options;
  }

  /** A client's request. */
  fromClient(cold: Uint8Array, author: string, answer: (cold: Uint8Array) => void): void {
    const { codec } = this.#options;
    const reply: Answer = (value) => answer(codec.encode(value as unknown as ColdValue));
    let request: AdminRequest;
    try {
      request = parseAdminRequest(codec.decode(cold));
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      reply(failure('bad-request', `the request cannot be read: ${cause.message}`));
      return;
    }
    this.#handle(request, author, 0, reply);
  }

  overloaded(answer: (cold: Uint8Array) => void): void {
    const what = 'this connection has too many requests in flight: wait for their answers';
    answer(this.#options.codec.encode(failure('overloaded', what, 'backoff') as unknown as ColdValue));
  }

  /** A question of another store: a client's request on its way, or one of the stores' own. */
  fromStore(from: StoreId, cold: Uint8Array, hops: number, answer: (cold: Uint8Array) => void): void {
    const { codec } = this.#options;
    const reply: Answer = (value) => answer(codec.encode(value as unknown as ColdValue));
    try {
      const value = objectOf(codec.decode(cold));
      if (value.internal === 'report') {
        const report = makeReport(this.#options.storeId, this.#options.host, this.#options.aheadMs());
        reply({ ok: true, result: { report: encodeReport(report) } });
      } else if (value.internal === 'command') {
        this.#change(commandOf(codec, value.entry), '', `store ${from}`, hops, reply);
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
    this.#change(command, '', `store ${this.#options.storeId}`, 0, done);
  }

  #handle(request: AdminRequest, author: string, hops: number, reply: Answer): void {
    switch (request.method) {
      case 'join':
        this.#change(
          { kind: 'join', groups: request.params.groups },
          request.params.requestId,
          author,
          hops,
          reply,
          request,
        );
        return;
      case 'leave':
        this.#change(
          { kind: 'leave', gids: request.params.gids },
          request.params.requestId,
          author,
          hops,
          reply,
          request,
        );
        return;
      case 'move': {
        const { shard, gid, requestId } = request.params;
        this.#change({ kind: 'move', shard, gid }, requestId, author, hops, reply, request);
        return;
      }
      case 'transferLeader':
        this.#transfer(request.params.gid, request.params.store, request, author, hops, reply);
        return;
      case 'config':
      case 'configs':
        this.#configs(request, author, hops, reply);
        return;
      case 'status':
        this.#status(request.params.after, reply);
    }
  }

  // The controller group

  #change(
    command: ControllerCommand,
    requestId: string,
    author: string,
    hops: number,
    reply: Answer,
    request?: AdminRequest,
  ): void {
    const { host, codec } = this.#options;
    const replica = host.replica(0);
    if (replica === undefined || !replica.isLeader) {
      const question =
        request === undefined
          ? { internal: 'command', entry: encodeControllerEntry(codec, command, '', author) }
          : { ...request, author };
      this.#passOn(0, question as unknown as ColdValue, hops, reply);
      return;
    }
    let proposal: ControllerProposal;
    try {
      proposal = new ControllerProposal({
        codec,
        command,
        requestId,
        author,
        stamp: () => this.#options.stampFor(replica),
        done: (outcome) => {
          if (!('refused' in outcome)) {
            reply(outcome.ok ? { ok: true, result: { ...outcome } } : outcome);
          } else if (outcome.refused === 'lost') {
            const what = 'the controller lost its leader meanwhile: the change may or may not have happened';
            reply(failure('unknown-outcome', `${what}; ask again with the same request id`, 'backoff'));
          } else {
            const what =
              outcome.refused.kind === 'overloaded' ? outcome.refused.what : 'its leader just changed';
            reply(
              failure('no-leader', `the controller group cannot take the change now: ${what}`, 'backoff'),
            );
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

  #controllerStore(): StoreId | undefined {
    const known = this.#options.host.replica(0)?.leaderStore();
    if (known !== undefined && known !== this.#options.storeId && this.#options.links.isUp(known))
      return known;
    const stores = this.#options
      .config()
      .controller.replicas.map((replica) => replica.storeId)
      .filter((storeId) => storeId !== this.#options.storeId && this.#options.links.isUp(storeId));
    return stores[this.#next++ % Math.max(1, stores.length)];
  }

  #passOn(gid: number, question: ColdValue, hops: number, reply: Answer): void {
    const target = gid === 0 ? this.#controllerStore() : this.#leaderStore(gid);
    const { codec } = this.#options;
    const words = gid === 0 ? 'the controller group' : `group ${gid}`;
    if (target === undefined) {
      reply(failure('no-leader', `no store that could lead ${words} is in reach: try again`, 'backoff'));
      return;
    }
    this.#options
      .forwarding()
      .ask(target, codec.encode(question), { hops, timeoutMs: FORWARD_MS }, (outcome) => {
        if (outcome.kind === 'answer') {
          reply(readReply(codec, outcome.cold, target));
        } else if (outcome.kind === 'not-sent') {
          reply(
            failure('no-leader', `${words} has no leader that store ${target} knows: try again`, 'backoff'),
          );
        } else {
          const what = `store ${target}, which was asked to lead ${words} through this, did not answer`;
          reply(
            failure('no-answer', `${what}: the change may or may not have happened; ask again`, 'backoff'),
          );
        }
      });
  }

  #configs(request: AdminRequest, author: string, hops: number, reply: Answer): void {
    const replica = this.#options.host.replica(0);
    if (replica === undefined || !replica.isServing) {
      this.#passOn(0, { ...request, author } as unknown as ColdValue, hops, reply);
      return;
    }
    const machine = replica.machine as ControllerGroup;
    if (request.method === 'config') {
      const { number } = request.params;
      const config = number === undefined ? machine.config : machine.configAt(number);
      if (config === undefined) {
        const newest = machine.config.number;
        reply(failure('no-such-config', `there is no config ${number}: they are numbered 1 to ${newest}`));
        return;
      }
      const out = new Writer(4096);
      writeConfig(out, config);
      reply({ ok: true, result: { config: out.take() } });
    } else if (request.method === 'configs') {
      const { from, limit } = request.params;
      const configs: ColdValue[] = [];
      let at = Math.max(1, from);
      for (; at <= machine.config.number && configs.length < limit; at++) {
        const config = machine.configAt(at);
        if (config === undefined) continue;
        const { number, cause, author: by, atMs } = config;
        configs.push({ number, cause, author: by, atMs });
      }
      reply({ ok: true, result: { configs, more: at <= machine.config.number } });
    }
  }

  // Any group

  #leaderStore(gid: number): StoreId | undefined {
    const known = this.#options.host.replica(gid)?.leaderStore();
    if (known !== undefined && known !== this.#options.storeId && this.#options.links.isUp(known))
      return known;
    const stores = this.#options
      .config()
      .groups.find((group) => group.gid === gid)
      ?.replicas.map((replica) => replica.storeId)
      .filter((storeId) => storeId !== this.#options.storeId && this.#options.links.isUp(storeId));
    return stores?.[this.#next++ % Math.max(1, stores.length)];
  }

  #transfer(
    gid: number,
    store: StoreId,
    request: AdminRequest,
    author: string,
    hops: number,
    reply: Answer,
  ): void {
    const { host, timers, links } = this.#options;
    const replica = host.replica(gid);
    if (replica === undefined || !replica.isLeader) {
      const record = gid === 0 ? this.#options.config().controller : this.#groupRecord(gid);
      if (record === undefined) {
        reply(failure('unknown-group', `there is no group ${gid}: see flotilla config`));
        return;
      }
      this.#passOn(gid, { ...request, author } as unknown as ColdValue, hops, reply);
      return;
    }
    const target = replica.raftIdOn(store);
    if (target === undefined) {
      const stores = replica.members.map((place) => place.storeId).join(', ');
      reply(
        failure('not-a-replica', `store ${store} holds no replica of group ${gid}: it lives on ${stores}`),
      );
      return;
    }
    if (target === replica.raftId) {
      reply({ ok: true, result: { leader: store } });
      return;
    }
    if (!links.isUp(store)) {
      reply(
        failure(
          'store-down',
          `store ${store} is not connected to the leader of group ${gid}: start it first`,
        ),
      );
      return;
    }
    host.transferLeader(replica, target);
    let waitedMs = 0;
    const poll = (): void => {
      const leader = replica.leaderStore();
      if (leader === store) {
        reply({ ok: true, result: { leader } });
      } else if (waitedMs >= TRANSFER_MS) {
        const now = leader === undefined ? 'has no leader' : `is led by ${leader}`;
        reply(
          failure('transfer-failed', `group ${gid} ${now} after ${TRANSFER_MS} ms: try again`, 'backoff'),
        );
      } else {
        waitedMs += TRANSFER_POLL_MS;
        timers.set(TRANSFER_POLL_MS, poll);
      }
    };
    poll();
  }

  #groupRecord(gid: number) {
    return this.#options.config().groups.find((group) => group.gid === gid);
  }

  // Status

  #status(after: string, reply: Answer): void {
    const { host, storeId, codec, links } = this.#options;
    const config = this.#options.config();
    const reports = new Map<StoreId, StoreReport>();
    reports.set(storeId, makeReport(storeId, host, this.#options.aheadMs()));
    const others = config.stores
      .map((store) => store.storeId)
      .filter((id) => id !== storeId && links.isUp(id));
    let open = others.length;
    const finish = (): void => {
      const page = makeStatus({ clusterId: this.#options.clusterId(), config, reports, after });
      reply({ ok: true, result: page as unknown as ColdValue });
    };
    if (open === 0) {
      finish();
      return;
    }
    const question = codec.encode({ internal: 'report' });
    for (const id of others) {
      this.#options.forwarding().ask(id, question, { hops: 0, timeoutMs: REPORT_MS }, (outcome) => {
        const report = outcome.kind === 'answer' ? parseReport(codec, outcome.cold) : undefined;
        if (report !== undefined) reports.set(id, report);
        open--;
        if (open === 0) finish();
      });
    }
  }
}

function objectOf(value: ColdValue): { readonly [key: string]: ColdValue } {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || Array.isArray(value)) {
    throw new DecodeError('a question between stores is an object');
  }
  return value as { readonly [key: string]: ColdValue };
}

/** What a store may ask of the controller's leader, in the same bytes as in the log and read as strictly. */
function commandOf(codec: ColdCodec, entry: ColdValue): InternalCommand {
  if (!(entry instanceof Uint8Array)) throw new DecodeError('a command between stores is an entry');
  const { command } = decodeControllerRequest(codec, readControllerEntryHead(entry).body);
  if (command.kind === 'registerStore' || command.kind === 'done' || command.kind === 'found') return command;
  throw new DecodeError(`stores do not ask for ${command.kind}`);
}

/** Whoever asked gets an answer, also when the other store's cannot be read: it may be of a newer version. */
function readReply(codec: ColdCodec, cold: Uint8Array, from: StoreId): AdminReply {
  try {
    const value = objectOf(codec.decode(cold));
    if (typeof value.ok === 'boolean') return value as unknown as AdminReply;
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
  }
  const what = `the answer of store ${from} cannot be read: the change may or may not have happened`;
  return failure('no-answer', `${what}; ask again`, 'backoff');
}

/** Undefined for what cannot be read: that store then counts as one that does not answer. */
function parseReport(codec: ColdCodec, cold: Uint8Array): StoreReport | undefined {
  try {
    const { result } = objectOf(codec.decode(cold));
    const { report } = objectOf(result);
    return report instanceof Uint8Array ? decodeReport(report) : undefined;
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    return undefined;
  }
}

/** Registration of a store as the controller takes it. */
export function registerCommand(store: StoreRecord): InternalCommand {
  return { kind: 'registerStore', ...store };
}
