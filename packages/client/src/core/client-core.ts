import { assert, DecodeError, hexEncode } from '@flotilla/base';
import type { TimerId } from '@flotilla/ports';
import type { AdminMethod, AdminParams, ClientWelcome } from '@flotilla/wire';
import { AdminCall } from './admin-call.ts';
import { fullJitterMs } from './back-off.ts';
import { Dispatcher } from './dispatcher.ts';
import { type ClientFailure, type FailureCode, failure, troubles } from './failure.ts';
import type { Link, LinkOwner } from './link.ts';
import { Links } from './links.ts';
import type { Operation, ReadOperation, WriteOperation } from './operation.ts';
import { type ClientOptions, type ClientPorts, type Settings, settingsOf, tuning } from './options.ts';
import { Routes } from './routes.ts';
import { Starter } from './starter.ts';

interface RouteWait {
  readonly done: (failure: ClientFailure | undefined) => void;
  timer: TimerId | undefined;
}

const CLOSED = 'the client was closed';

/**
 * The routing client without promises: synchronous, on injected ports only, so that the simulator runs this
 * very code. It wires the parts together and watches over connections and config.
 */
export class ClientCore implements LinkOwner {
  readonly ports: ClientPorts;
  readonly settings: Settings;
  readonly routes: Routes = new Routes();
  readonly links: Links;
  readonly #dispatcher: Dispatcher;
  readonly #calls = new Set<AdminCall>();
  readonly #routeWaits = new Set<RouteWait>();
  #clusterId: string;
  #starter: Starter | undefined;
  #pulseTimer: TimerId | undefined;
  #pulsedMs = 0;
  #configTimer: TimerId | undefined;
  #isAskingConfig = false;
  #configFailures = 0;
  #closed = false;

  constructor(ports: ClientPorts, options: ClientOptions) {
    this.ports = ports;
    this.settings = settingsOf(options);
    this.#clusterId = this.settings.clusterId;
    this.links = new Links(this, this.settings.endpoints);
    this.#dispatcher = new Dispatcher({
      ports,
      settings: this.settings,
      links: this.links,
      routes: this.routes,
      needConfig: () => this.#needConfig(),
    });
  }

  get clusterId(): string {
    return this.#clusterId;
  }

  get openOperations(): number {
    return this.#dispatcher.openOperations;
  }

  /** Makes the first connection. Operations may be submitted before it is there. */
  start(done: (failure: ClientFailure | undefined) => void): void {
    assert(this.#starter === undefined && !this.#closed, 'a client is started once');
    this.#starter = new Starter(this.ports, this.links.all(), this.settings.connectTimeoutMs, done);
    this.#starter.begin();
    this.#pulse();
  }

  /** The deadline of an operation that begins now. */
  deadlineMs(timeoutMs: number = this.settings.timeoutMs): number {
    return this.ports.clock.monoMs() + timeoutMs;
  }

  submit(operation: WriteOperation | ReadOperation): void {
    this.#dispatcher.submit(operation);
  }

  /** Calls back, perhaps at once, as soon as it is known how many shards there are. */
  whenRouted(deadlineMs: number, done: (failure: ClientFailure | undefined) => void): void {
    if (this.#closed) {
      done(failure('closed', CLOSED));
    } else if (this.routes.shardCount > 0) {
      done(undefined);
    } else {
      const wait: RouteWait = { done, timer: undefined };
      wait.timer = this.ports.timers.set(deadlineMs - this.ports.clock.monoMs(), () => {
        this.#routeWaits.delete(wait);
        done(failure('unavailable', `${troubles.noConfig.text} (${this.links.describe()})`));
      });
      this.#routeWaits.add(wait);
      this.#needConfig();
    }
  }

  giveUp(operation: Operation, code: FailureCode, message: string, cause?: unknown): void {
    this.#dispatcher.giveUp(operation, code, message, cause);
  }

  admin<M extends AdminMethod>(
    method: M,
    params: AdminParams[M],
    deadlineMs: number,
    done: (call: AdminCall<M>) => void,
  ): AdminCall<M> {
    const call = new AdminCall<M>(this.ports, this.links, method, params, deadlineMs, (ended) => {
      this.#calls.delete(ended as unknown as AdminCall);
      done(ended);
    });
    this.#calls.add(call as unknown as AdminCall);
    if (this.#closed) call.giveUp('closed', CLOSED);
    else call.attempt();
    return call;
  }

  /** An id that no other change has: 80 random bits. */
  requestId(): string {
    const bytes = new Uint8Array(10);
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.ports.random.u32() & 0xff;
    return hexEncode(bytes);
  }

  /** Closes all connections; everything that is open ends with the failure `closed`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#starter?.stop();
    for (const timer of [this.#pulseTimer, this.#configTimer]) {
      if (timer !== undefined) this.ports.timers.clear(timer);
    }
    this.#dispatcher.close(CLOSED);
    for (const call of [...this.#calls]) call.giveUp('closed', CLOSED);
    this.#endRouteWaits(failure('closed', CLOSED));
    for (const link of this.links.all()) link.close('the client was closed');
  }

  onWelcome(link: Link, welcome: ClientWelcome): { refusal: string; reason: string } | undefined {
    if (this.#clusterId !== '' && welcome.clusterId !== this.#clusterId) {
      const reason = `the store belongs to cluster ${welcome.clusterId}, this client to ${this.#clusterId}`;
      return { refusal: 'wrong-cluster', reason: `${reason}: check the endpoints` };
    }
    if (!this.links.register(link, welcome.storeId)) {
      return { refusal: 'twice', reason: `store ${welcome.storeId} is connected already` };
    }
    this.#clusterId = welcome.clusterId;
    if (welcome.config.length > 0) this.onConfig(welcome.config);
    return undefined;
  }

  onUp(_link: Link): void {
    this.#starter?.onUp();
    for (const call of [...this.#calls]) call.attempt();
    this.#dispatcher.wake();
  }

  onDown(_link: Link): void {
    this.#starter?.onDown();
    this.#dispatcher.wake();
  }

  onConfig(bytes: Uint8Array): void {
    if (this.routes.takeBytes(bytes)) this.#onRoutes();
  }

  /** Several stores push the same change; one that fits no more is asked for as a whole. */
  onConfigDelta(bytes: Uint8Array): void {
    if (this.ports.rare?.take('config-missed') === true) return;
    const outcome = this.routes.takeDelta(bytes);
    if (outcome === 'taken') this.#onRoutes();
    else if (outcome === 'gap') this.#needConfig();
  }

  #onRoutes(): void {
    const config = this.routes.config;
    if (config !== undefined) this.links.take(config);
    this.#configFailures = 0;
    this.#dispatcher.onRoutes();
    this.#endRouteWaits(undefined);
  }

  onReplies(): void {
    this.#dispatcher.wake();
  }

  #endRouteWaits(reason: ClientFailure | undefined): void {
    const waits = [...this.#routeWaits];
    this.#routeWaits.clear();
    for (const { timer, done } of waits) {
      if (timer !== undefined) this.ports.timers.clear(timer);
      done(reason);
    }
  }

  #pulse(): void {
    this.#pulseTimer = this.ports.timers.set(tuning.pulse, () => this.#pulse());
    const now = this.ports.clock.monoMs();
    const isLate = now - this.#pulsedMs > 2 * tuning.pulse;
    this.#pulsedMs = now;
    // After a pause of this process the silence may be ours: what came meanwhile is read first.
    if (isLate) return;
    for (const link of this.links.all()) link.pulse(now);
  }

  /** Asks for the newest config, soon, and at growing distances for as long as nothing new comes. */
  #needConfig(): void {
    if (this.#isAskingConfig || this.#configTimer !== undefined || this.#closed) return;
    const jitter = fullJitterMs(this.ports.random, this.#configFailures);
    const delay = Math.min(
      tuning.configAskMax,
      Math.max(this.#configFailures === 0 ? 0 : tuning.configAskMin, jitter),
    );
    this.#configTimer = this.ports.timers.set(delay, () => {
      this.#configTimer = undefined;
      this.#askConfig();
    });
  }

  #askConfig(): void {
    this.#isAskingConfig = true;
    const before = this.routes.config?.number ?? -1;
    this.admin('config', { number: undefined }, this.deadlineMs(tuning.backoffMax), (call) => {
      this.#isAskingConfig = false;
      try {
        if (call.result !== undefined) this.onConfig(call.result.config);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
      const isNews = (this.routes.config?.number ?? -1) > before;
      if (!isNews) this.#configFailures = Math.min(8, this.#configFailures + 1);
      if (this.#dispatcher.parkedOperations > 0 || this.#routeWaits.size > 0) this.#needConfig();
    });
  }
}
