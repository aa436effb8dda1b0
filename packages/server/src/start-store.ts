import type { LogSink, Socket, SocketHandler, SocketPath } from '@flotilla/ports';
import { type DataDirectory, openDataDirectory, randomIncarnation } from '@flotilla/storage';
import { StoreNode } from '@flotilla/store';
import {
  Fabric,
  MsgpackColdCodec,
  NodeClock,
  NodeRandom,
  NodeTimers,
  nodeJitter,
  WsNetwork,
  ZstdCompressor,
} from '@flotilla/transport';
import { entryFormats } from '@flotilla/wire';
import { PinoSink } from './adapters/pino-sink.ts';
import { PromMeter } from './adapters/prom-meter.ts';
import { createWasmHasher } from './adapters/wasm-hasher.ts';
import { AddressBookFile } from './address-book-file.ts';
import type { StoreConfig } from './config/settings.ts';
import { httpFaces } from './faces.ts';
import { type HttpFaces, serveHttp } from './http.ts';
import { openListener } from './listen.ts';
import { hostTuningOf } from './tuning.ts';

/** The composition root: the one place where the parts of a store meet the real world. */

export interface StartHooks {
  /** The process must end now with this exit code; nothing that the store says from here on would hold. */
  readonly onFatal: (reason: string, exitCode: number) => void;
  /** Default: JSON lines on standard error. */
  readonly log?: LogSink;
}

export interface RunningStore {
  readonly node: StoreNode;
  /** Where others reach it. */
  readonly address: string;
  readonly log: LogSink;
  /** Hands over leaders, finishes requests, closes the data directory. */
  stop(): Promise<void>;
  /** The same at once: nobody is there any more who could take over. Also shortens a stop that has begun. */
  stopNow(): Promise<void>;
}

/** Rejects with one clear error if the store cannot start; then nothing of it is left open. */
export async function startStore(config: StoreConfig, hooks: StartHooks): Promise<RunningStore> {
  const { id: storeId } = config;
  const log = hooks.log ?? new PinoSink({ level: config.logLevel, storeId });
  const hasher = await createWasmHasher();
  const timers = new NodeTimers();
  const directory = await openDataDirectory(config.data, { storeId }, { timers, hasher });
  try {
    return await compose(config, { ...hooks, log }, directory, timers, hasher);
  } catch (error) {
    timers.stop();
    await directory.close();
    throw error;
  }
}

async function compose(
  config: StoreConfig,
  { onFatal, log }: Required<StartHooks>,
  directory: DataDirectory,
  timers: NodeTimers,
  hasher: Awaited<ReturnType<typeof createWasmHasher>>,
): Promise<RunningStore> {
  const { id: storeId, zone } = config;
  const incarnation = directory.identity?.incarnation ?? randomIncarnation();
  const clusterId = directory.identity?.clusterId;
  const clock = new NodeClock();
  const meter = new PromMeter({ onFull: (name) => log.log('warn', 'metrics-full', { name }) });
  meter.watchProcess();

  // The port first: its number may be chosen by the system, and the rest needs to know it. Until everything
  // behind it stands, sockets are refused and their owners come back.
  const doors: Doors = { accept: () => undefined, http: undefined };
  const network = new WsNetwork({
    onHttpRequest: (request, response) => {
      const { http } = doors;
      if (http === undefined) response.writeHead(503).end('starting\n');
      else serveHttp(http, request, response, (error) => log.log('warn', 'http-failed', { error }));
    },
  });
  const listener = await openListener(network, config.listen, (socket, path) => doors.accept(socket, path));
  const address = config.advertise ?? listener.address;

  const book = new AddressBookFile(directory.path, { storeId, incarnation, address }, clock.wallMs());
  if (book.damage !== undefined) log.log('warn', 'address-book-damaged', { why: book.damage });
  const fabric = new Fabric({
    identity: { storeId, incarnation },
    address,
    clusterId: clusterId ?? '',
    formats: [entryFormats.min, entryFormats.max],
    seeds: config.join,
    addressBook: book.entries,
    onAddressBook: (entries) =>
      book.save(entries, (error) => log.log('warn', 'address-book-not-saved', { error })),
    network,
    timers,
    clock,
    random: nodeJitter(),
    hasher,
    compressor: new ZstdCompressor(),
    log,
    meter,
  });
  let identityStored: Promise<void> = Promise.resolve();
  const node = new StoreNode(
    {
      clock,
      timers,
      // Session and cluster ids are drawn from it, and nobody may guess those.
      random: new NodeRandom(),
      hasher,
      codec: new MsgpackColdCodec(),
      logStore: directory.logStore,
      stateStore: directory.stateStore,
      links: fabric,
      disk: directory.disk,
      log,
      meter,
    },
    {
      storeId,
      incarnation,
      address,
      addressVersion: book.ownVersion,
      zone,
      clusterId,
      bootstrap: config.bootstrap.length > 0 ? config.bootstrap : undefined,
      shardCount: config.shards,
      tuning: hostTuningOf(config),
      onClusterId: (newClusterId, done) => {
        identityStored = directory.establish({ clusterId: newClusterId, storeId, incarnation }).then(
          () => {
            log.log('info', 'cluster-joined', { clusterId: newClusterId, incarnation });
            fabric.setClusterId(newClusterId);
            done();
          },
          (error: unknown) => onFatal(`the identity could not be stored: ${String(error)}`, 70),
        );
      },
      onFatal: (reason, exitCode) => {
        // An exit waits for threads that may hang on the disk. Whoever is connected should not wait with it.
        fabric.stop('at-once');
        onFatal(reason, exitCode);
      },
    },
  );
  doors.accept = (socket, path) => (path === '/peer' ? fabric.acceptPeer(socket) : node.acceptClient(socket));
  doors.http = httpFaces({ storeId, incarnation, address, meter, disk: directory.disk, fabric, node });
  node.start();
  fabric.start();
  log.log('info', 'store-started', {
    address,
    incarnation,
    clusterId: clusterId ?? '',
    data: directory.path,
  });

  const hurry = Promise.withResolvers<void>();
  const stop = async (): Promise<void> => {
    await Promise.race([drained(node, timers, config.drainTimeout), hurry.promise]);
    node.stop();
    fabric.stop();
    await new Promise<void>((resolve) => listener.close(resolve));
    timers.stop();
    await book.flushed();
    // A stop in the middle of a founding comes upon a directory that is half-way to its identity.
    await identityStored;
    await directory.close();
    log.log('info', 'store-stopped', {});
  };
  let stopping: Promise<void> | undefined;
  const stopOnce = (): Promise<void> => {
    stopping ??= stop();
    return stopping;
  };
  return {
    node,
    address,
    log,
    stop: stopOnce,
    stopNow: () => {
      hurry.resolve();
      return stopOnce();
    },
  };
}

interface Doors {
  accept: (socket: Socket, path: SocketPath) => SocketHandler | undefined;
  http: HttpFaces | undefined;
}

/** A cluster that has no majority cannot take leaders over; the process must be able to end all the same. */
function drained(node: StoreNode, timers: NodeTimers, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timeout = timers.set(timeoutMs, resolve);
    node.drain(() => {
      timers.clear(timeout);
      resolve();
    });
  });
}
