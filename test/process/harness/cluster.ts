import { join } from 'node:path';
import { freePorts, temporaryDirectory } from './places.ts';
import { flotilla, type Result, Running, type StartOptions } from './running.ts';

/** A local cluster of real processes, as a person starts it. */

export interface DevStore {
  readonly id: string;
  readonly pid: number;
  readonly address: string;
}

export interface ClusterOptions {
  readonly directory?: string;
  readonly port?: number;
  readonly stores?: number;
  /** More arguments for `dev`. */
  readonly args?: readonly string[];
}

export class Cluster {
  readonly dev: Running;
  readonly directory: string;
  readonly port: number;
  readonly endpoints: readonly string[];
  readonly stores: readonly DevStore[];

  private constructor(
    dev: Running,
    directory: string,
    port: number,
    ready: Readonly<Record<string, unknown>>,
  ) {
    this.dev = dev;
    this.directory = directory;
    this.port = port;
    this.endpoints = ready.endpoints as string[];
    this.stores = ready.stores as DevStore[];
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const directory = options.directory ?? join(temporaryDirectory(), 'dev');
    const stores = options.stores ?? 3;
    const port = options.port ?? (await freePorts(stores));
    const dev = new Running(devArgs(directory, port, stores, options.args));
    const ready = await dev.event('ready');
    return new Cluster(dev, directory, port, ready);
  }

  store(id: string): DevStore {
    const found = this.stores.find((store) => store.id === id);
    if (found === undefined) throw new Error(`no store ${id}`);
    return found;
  }

  /** Runs a command against this cluster. */
  run(args: readonly string[], options: StartOptions = {}): Promise<Result> {
    return flotilla([...args, '--endpoints', this.endpoints.join(',')], options);
  }

  /** The same, with --json; one value for each line. */
  async json(args: readonly string[]): Promise<Record<string, unknown>[]> {
    const { code, out, err } = await this.run([...args, '--json']);
    if (code !== 0) throw new Error(`flotilla ${args.join(' ')} ended with ${code}: ${err}`);
    return out === '' ? [] : out.split('\n').map((line) => JSON.parse(line));
  }

  async stop(): Promise<void> {
    const { code } = await this.dev.stop();
    if (code !== 0) throw new Error(`dev ended with ${code}: ${this.dev.err.join('\n')}`);
  }
}

export function devArgs(
  directory: string,
  port: number,
  stores: number,
  more: readonly string[] = [],
): string[] {
  return ['dev', '--json', '--dir', directory, '--port', String(port), '--stores', String(stores), ...more];
}
