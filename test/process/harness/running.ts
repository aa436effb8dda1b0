import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Child processes of tests: their lines, their end, and that none outlives the test. */

export const root: string = join(import.meta.dirname, '..', '..', '..');
const pinned = join(root, 'node_modules', 'node', 'bin', 'node');
const node = existsSync(pinned) ? pinned : process.execPath;
const main = join(root, 'packages', 'cli', 'src', 'main.ts');

export interface Exit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
}

/** Variables of the machine must not decide what a test sees. */
function environment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('FLOTILLA_'));
  return { ...(Object.fromEntries(kept) as Record<string, string>), NO_COLOR: '1', ...extra };
}

const alive = new Set<Running>();

export class Running {
  readonly out: string[] = [];
  readonly err: string[] = [];
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #outBytes: Buffer[] = [];
  #waiting: { readonly check: () => void }[] = [];
  #exited: Exit | undefined;
  #closed = false;

  constructor(args: readonly string[], options: StartOptions & { readonly file?: string } = {}) {
    const words = options.file === undefined ? ['--conditions=flotilla-source', main, ...args] : args;
    this.#child = spawn(options.file ?? node, words, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment(options.env),
      cwd: options.cwd ?? root,
    });
    alive.add(this);
    const { stdin, stdout, stderr } = this.#child;
    stdin?.on('error', () => {});
    if (options.input === undefined) stdin?.end();
    else stdin?.end(options.input);
    stdout?.on('data', (chunk: Buffer) => this.#outBytes.push(chunk));
    this.#collect(stdout, this.out);
    this.#collect(stderr, this.err);
    this.exit = new Promise((resolve) => {
      // `close` comes after the last line, `exit` may come before it.
      this.#child.on('close', (code, signal) => {
        alive.delete(this);
        this.#closed = true;
        this.#exited = { code: code ?? undefined, signal: signal ?? undefined };
        resolve(this.#exited);
        this.#check();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return !this.#closed;
  }

  /** Standard output as it came, for values that are no text. */
  get outBytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#outBytes));
  }

  signal(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  /** The first line of either stream that fits, also one that has already come. */
  line(pattern: RegExp): Promise<string> {
    return this.#until(`a line like ${pattern}`, () =>
      [...this.out, ...this.err].find((line) => pattern.test(line)),
    );
  }

  /** The first event of that name on standard output that has these fields. */
  event(
    name: string,
    fields: Readonly<Record<string, unknown>> = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const wanted = Object.entries({ event: name, ...fields });
    return this.#until(`the event ${name}`, () =>
      this.out.map(parse).find((value) => wanted.every(([field, each]) => value?.[field] === each)),
    );
  }

  async stop(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<Exit> {
    this.signal(signal);
    return this.exit;
  }

  #collect(stream: NodeJS.ReadableStream | null, into: string[]): void {
    if (stream === null) return;
    createInterface({ input: stream }).on('line', (line) => {
      into.push(line);
      this.#check();
    });
  }

  #check(): void {
    for (const { check } of [...this.#waiting]) check();
  }

  #until<T>(what: string, find: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const entry = {
        check: (): void => {
          const found = find();
          if (found === undefined && !this.#closed) return;
          this.#waiting = this.#waiting.filter((each) => each !== entry);
          if (found !== undefined) resolve(found);
          else reject(new Error(`${this.#story()} ended before ${what}`));
        },
      };
      this.#waiting.push(entry);
      entry.check();
    });
  }

  #story(): string {
    const { code, signal } = this.#exited ?? {};
    const words = [...this.out, ...this.err].slice(-20).join('\n');
    return `the process (exit code ${code}, signal ${signal}), which said\n${words}\n,`;
  }
}

/** The command with its arguments as a line for a shell; they must need no quotes. */
export function commandLine(args: readonly string[]): string {
  return [node, '--conditions=flotilla-source', main, ...args].join(' ');
}

/** A command line as a person pastes it. It becomes that very process, so that signals reach it. */
export function runShell(command: string): Running {
  return new Running(['-c', `exec ${command}`], { file: 'sh' });
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

export interface Result {
  readonly code: number | undefined;
  readonly out: string;
  readonly err: string;
  readonly bytes: Uint8Array;
}

/** Runs one command to its end. */
export async function flotilla(args: readonly string[], options: StartOptions = {}): Promise<Result> {
  const running = new Running(args, options);
  const { code } = await running.exit;
  return { code, out: running.out.join('\n'), err: running.err.join('\n'), bytes: running.outBytes };
}

/** For the end of each test file: whatever still runs is ended, by its own id. */
export async function endAll(): Promise<void> {
  const left = [...alive];
  for (const running of left) running.signal('SIGTERM');
  const patience = setTimeout(() => {
    for (const running of left) if (running.running) running.signal('SIGKILL');
  }, 20_000);
  await Promise.all(left.map((running) => running.exit));
  clearTimeout(patience);
}

/** True while a process with that id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
