import { join } from 'node:path';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { freePorts, temporaryDirectory } from './places.ts';
import { ends } from './processes.ts';
import { commandLine, flotilla, type Result, type Running, runShell, type StartOptions } from './running.ts';

/**
 * The stores of one cluster, each a process that can be killed and started again: those of a `flotilla dev`, and
 * those that a person starts one by one.
 */

export interface FoundOptions {
  /** The first three found the cluster; the others join. */
  readonly stores: number;
  readonly shards: number;
}

interface Seat {
  readonly address: string;
  readonly data: string;
  /** Undefined while `dev` runs it. */
  running: Running | undefined;
  /** Starts it again, as a person would; undefined until `dev` has told it. */
  command: string | undefined;
  isDown: boolean;
}

const HOST = '127.0.0.1';
const FOUNDERS = 3;

export class Fleet {
  /** The cluster that it was built around, if there is one. */
  readonly #cluster: Cluster | undefined;
  readonly #seats = new Map<string, Seat>();

  private constructor(cluster: Cluster | undefined) {
    this.#cluster = cluster;
  }

  /** Stores s1, s2, … without any data group, started one by one. */
  static async found({ stores, shards }: FoundOptions): Promise<Fleet> {
    const fleet = new Fleet(undefined);
    const ids = idsFrom(1, stores);
    const founders = ids.slice(0, FOUNDERS);
    const bootstrap = ['--bootstrap', founders.join(','), '--shards', String(shards)];
    const port = await freePorts(stores);
    const endpoints = ids.map((_, at) => `${HOST}:${port + at}`);
    const directory = temporaryDirectory();
    ids.forEach((id, at) => {
      const others = endpoints.slice(0, FOUNDERS).filter((endpoint) => endpoint !== endpoints[at]);
      const more = founders.includes(id) ? bootstrap : [];
      fleet.#seat(id, endpoints[at] as string, join(directory, id), others, more);
    });
    await fleet.revive(...ids);
    return fleet;
  }

  /** A `flotilla dev` and `more` stores beside it, which go on counting its ids. */
  static async around(options: ClusterOptions & { readonly more: number }): Promise<Fleet> {
    const count = options.stores ?? 3;
    const port = await freePorts(count + options.more);
    const cluster = await Cluster.start({ ...options, port });
    const fleet = new Fleet(cluster);
    for (const { id, address } of cluster.stores) {
      const data = join(cluster.directory, id);
      fleet.#seats.set(id, { address, data, running: undefined, command: undefined, isDown: false });
    }
    const directory = temporaryDirectory();
    const added = idsFrom(count + 1, options.more);
    added.forEach((id, at) => {
      fleet.#seat(id, `${HOST}:${port + count + at}`, join(directory, id), cluster.endpoints, []);
    });
    await fleet.revive(...added);
    return fleet;
  }

  get ids(): string[] {
    return [...this.#seats.keys()];
  }

  /** Of the stores that are up. */
  get endpoints(): string[] {
    return [...this.#seats.values()].filter(({ isDown }) => !isDown).map(({ address }) => address);
  }

  address(id: string): string {
    return this.#of(id).address;
  }

  /** Data directory of a store. */
  data(id: string): string {
    return this.#of(id).data;
  }

  /** A line that a store, started one by one, writes or has written since its last start. */
  line(id: string, pattern: RegExp): Promise<string> {
    const { running } = this.#of(id);
    if (running === undefined)
      throw new Error(`store ${id} was started by dev, which keeps its log in a file`);
    return running.line(pattern);
  }

  /** Ends stores without warning; resolves when they are gone. */
  async kill(...ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#end(id, 'SIGKILL')));
  }

  /** Asks stores to end and waits for it. */
  async stop(...ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#end(id, 'SIGTERM')));
  }

  /** Starts stores that are down; resolves when they are ready. */
  async revive(...ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#start(id)));
  }

  /** Runs a command against the stores that are up. */
  run(args: readonly string[], options: StartOptions = {}): Promise<Result> {
    return flotilla([...args, '--endpoints', this.endpoints.join(',')], options);
  }

  /** Ends all that still run; the data stays. */
  async end(): Promise<void> {
    await this.stop(...this.ids.filter((id) => this.#of(id).running !== undefined && !this.#of(id).isDown));
    await this.#cluster?.stop();
    for (const seat of this.#seats.values()) seat.isDown = true;
  }

  #seat(id: string, address: string, data: string, others: readonly string[], more: readonly string[]): void {
    const args = ['store', '--id', id, '--listen', address, '--data', data, '--join', others.join(',')];
    const command = commandLine([...args, ...more]);
    this.#seats.set(id, { address, data, running: undefined, command, isDown: true });
  }

  #of(id: string): Seat {
    const seat = this.#seats.get(id);
    if (seat === undefined) throw new Error(`no store ${id}`);
    return seat;
  }

  async #end(id: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const seat = this.#of(id);
    if (seat.isDown) throw new Error(`store ${id} is down already`);
    seat.isDown = true;
    if (seat.running !== undefined) {
      await seat.running.stop(signal);
      return;
    }
    const { dev } = this.#cluster as Cluster;
    const { pid } = (this.#cluster as Cluster).store(id);
    process.kill(pid, signal);
    const { command } = await dev.event('store-ended', { id });
    seat.command = command as string;
    await ends(pid);
  }

  async #start(id: string): Promise<void> {
    const seat = this.#of(id);
    if (!seat.isDown || seat.command === undefined) throw new Error(`store ${id} is up already`);
    seat.running = runShell(seat.command);
    seat.isDown = false;
    await seat.running.line(new RegExp(`^store ${id} is ready`));
  }
}

function idsFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `s${first + at}`);
}
