import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ownInvocation } from '../child-command.ts';
import type { StorePlan } from './plan.ts';

/** One store as a child process. Its log goes to a file, its announcements come as JSON lines. */

export interface StoreExit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

export interface StoreProcessHooks {
  readonly onEvent: (event: Readonly<Record<string, unknown>>) => void;
  readonly onExit: (exit: StoreExit) => void;
}

/** How a store that cannot go on says so: as the error of its command, or in its log. */
interface LastLine {
  readonly event?: unknown;
  readonly reason?: unknown;
  readonly error?: { readonly message?: unknown };
}

/** A log that grew beyond this is begun anew. */
const LOG_BYTES_MAX = 32 * 1024 * 1024;

export class StoreProcess {
  readonly plan: StorePlan;
  readonly logFile: string;
  readonly #child: ChildProcess;
  readonly #logStart: number;
  #exited = false;

  constructor(plan: StorePlan, logDirectory: string, hooks: StoreProcessHooks) {
    this.plan = plan;
    mkdirSync(logDirectory, { recursive: true });
    this.logFile = join(logDirectory, `${plan.id}.log`);
    const bytes = statSync(this.logFile, { throwIfNoEntry: false })?.size ?? 0;
    const log = openSync(this.logFile, bytes > LOG_BYTES_MAX ? 'w' : 'a');
    this.#logStart = bytes > LOG_BYTES_MAX ? 0 : bytes;
    // `--exit-with-parent`: the store ends when its standard input does, a pipe that the kernel closes when this
    // process ends, however it ends. So no store outlives a supervisor that was killed.
    const { file, args } = ownInvocation([...plan.args, '--json', '--exit-with-parent']);
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', log] });
    closeSync(log);
    this.#child.stdin?.on('error', () => {});
    const { stdout } = this.#child;
    if (stdout !== null) {
      createInterface({ input: stdout }).on('line', (line) => {
        const event = parseEvent(line);
        if (event !== undefined) hooks.onEvent(event);
      });
    }
    const ended = (exit: StoreExit): void => {
      if (this.#exited) return;
      this.#exited = true;
      hooks.onExit(exit);
    };
    this.#child.on('error', () => ended({ code: 1, signal: undefined }));
    this.#child.on('exit', (code, signal) => ended({ code: code ?? undefined, signal: signal ?? undefined }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return !this.#exited;
  }

  /** Asks it to end together with all others: there is nobody left to hand leaders over to. */
  stop(): void {
    this.#child.stdin?.end();
  }

  kill(): void {
    if (!this.#exited) this.#child.kill('SIGKILL');
  }

  /** Why it ended, in its own words if it had any. */
  lastWords(): string | undefined {
    let text: string;
    try {
      text = readFileSync(this.logFile).subarray(this.#logStart).toString('utf8');
    } catch {
      return undefined;
    }
    for (const line of text.split('\n').reverse()) {
      const report = parseEvent(line) as LastLine | undefined;
      if (report?.event === 'fatal' && typeof report.reason === 'string') return report.reason;
      if (typeof report?.error?.message === 'string') return report.error.message;
    }
    return undefined;
  }
}

function parseEvent(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

export function exitText({ code, signal }: StoreExit): string {
  return signal === undefined ? `ended with exit code ${code}` : `was ended by ${signal}`;
}
