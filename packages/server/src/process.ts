import type { LogSink } from '@flotilla/ports';
import { errorText, PinoSink } from './adapters/pino-sink.ts';
import type { StoreConfig } from './config/settings.ts';
import { type RunningStore, startStore } from './start-store.ts';

/** A store as a process of its own: signals, announcements, exit codes. */

/** A defect, or storage that cannot be trusted: whoever restarts processes should see that this one broke. */
export const EXIT_BROKEN = 70;

/** Repeated asks to end within this time are the same one, sent to a whole process group. */
const SAME_SIGNAL_MS = 1_000;
const READY_POLL_MS = 100;

export interface ProcessHooks {
  /** Facts for whoever started the process: as an event, and in words. */
  readonly announce: (event: string, fields: Readonly<Record<string, unknown>>, text: string) => void;
  /** Standard input, if the end of it means that the parent is gone. */
  readonly parent: NodeJS.ReadStream | undefined;
}

/** Runs until a signal; resolves to the exit code. Rejects if the store cannot start. */
export async function runStoreProcess(config: StoreConfig, hooks: ProcessHooks): Promise<number> {
  const log = new PinoSink({ level: config.logLevel, storeId: config.id });
  guardProcess(log);
  const asked = askedToEnd();
  const parentGone = endOf(hooks.parent);
  const store = await startStore(config, { log, onFatal: (reason, code) => die(log, reason, code) });
  const { address } = store;
  const fields = { id: config.id, address, pid: process.pid };
  hooks.announce('listening', fields, `store ${config.id} listens on ${address}, data in ${config.data}`);
  const watch = watchReadiness(store, (text) =>
    hooks.announce('ready', fields, `store ${config.id} is ${text}`),
  );
  void parentGone.then(() => store.stopNow());
  const reason = await Promise.race([asked, parentGone]);
  clearInterval(watch);
  log.log('info', 'stop-asked', { reason });
  await store.stop();
  hooks.announce('stopped', fields, `store ${config.id} stopped`);
  return 0;
}

/** Logs each change of readiness, with the reasons; calls back at the first time of being ready. */
function watchReadiness(store: RunningStore, firstReady: (text: string) => void): NodeJS.Timeout {
  let before = '';
  let announced = false;
  return setInterval(() => {
    const { ready, reasons } = store.node.readiness();
    const now = ready ? 'ready' : reasons.join('; ');
    if (now === before) return;
    before = now;
    store.log.log('info', ready ? 'store-ready' : 'store-not-ready', { reasons });
    if (ready && !announced) firstReady('ready');
    announced ||= ready;
  }, READY_POLL_MS);
}

/** Resolves at the first request to end; an impatient second one ends the process at once. */
function askedToEnd(): Promise<string> {
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    const onSignal = (signal: string): void => {
      const now = performance.now();
      if (firstMs === undefined) {
        firstMs = now;
        resolve(signal);
      } else if (signal === 'SIGINT' && now - firstMs > SAME_SIGNAL_MS) {
        process.exit(130);
      }
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, onSignal);
  });
}

/** Resolves when the parent is gone; never, where there is none that matters. */
function endOf(parent: NodeJS.ReadStream | undefined): Promise<string> {
  return new Promise((resolve) => {
    if (parent === undefined) return;
    for (const event of ['end', 'close', 'error']) parent.on(event, () => resolve('the parent ended'));
    parent.resume();
  });
}

/** What nobody caught leaves a state that nobody understands: the process ends and says so. */
function guardProcess(log: LogSink): void {
  const stop = (error: unknown): void => {
    const stack = error instanceof Error ? error.stack : undefined;
    log.log('error', 'defect', { error: errorText(error), stack });
    die(log, `a defect in flotilla: ${errorText(error)}`, EXIT_BROKEN);
  };
  process.on('uncaughtException', stop);
  process.on('unhandledRejection', stop);
  // A terminal that went away must not end a store; its end is decided by signals.
  process.on('SIGHUP', () => log.log('info', 'hangup-ignored', {}));
}

function die(log: LogSink, reason: string, exitCode: number): never {
  log.log('error', 'fatal', { reason, exitCode });
  process.exit(exitCode);
}
