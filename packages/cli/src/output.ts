import type { Writable } from 'node:stream';

/** Enough to make system calls rare, little enough to feel immediate. */
const CHUNK_BYTES = 32 * 1024;

export interface OutputOptions {
  readonly json: boolean;
  readonly stdout: Writable & {
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
}

export interface Terminal {
  /** Both as they are now: people resize windows. */
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
}

/**
 * Standard output and standard error of one command. Results go out in chunks and in order; the caller that
 * awaits each write is slowed to what the reader takes, so that a scan of any length needs little memory. A
 * reader that went away (`| head`) is no error: {@link closed} turns true and the command ends quietly.
 */
export class Output {
  readonly json: boolean;
  readonly #stdout: OutputOptions['stdout'];
  readonly #stderr: OutputOptions['stderr'];
  #parts: (string | Uint8Array)[] = [];
  #pendingBytes = 0;
  #closed = false;

  constructor(options: OutputOptions) {
    this.json = options.json;
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.#stdout.on('error', () => {
      this.#closed = true;
    });
    this.#stderr.on('error', () => {});
  }

  /** Nobody reads what is printed any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** A person looks at standard error, so a progress bar may move there. */
  get showsProgress(): boolean {
    return this.#stderr.isTTY === true;
  }

  get progressColumns(): number {
    // Some terminals do not know their width and say 0.
    return this.#stderr.columns || 80;
  }

  /** Standard output as a screen that is drawn again and again; undefined where no person looks. */
  get terminal(): Terminal | undefined {
    const stdout = this.#stdout;
    if (this.json || stdout.isTTY !== true) return undefined;
    return {
      get columns() {
        return stdout.columns || 80;
      },
      get rows() {
        return stdout.rows || 24;
      },
      write: (text) => void stdout.write(text),
    };
  }

  async write(part: string | Uint8Array): Promise<void> {
    if (this.#closed) return;
    this.#parts.push(part);
    this.#pendingBytes += part.length;
    if (this.#pendingBytes >= CHUNK_BYTES) await this.flush();
  }

  line(text: string): Promise<void> {
    return this.write(`${text}\n`);
  }

  /** One JSON value on a line of its own. */
  value(value: unknown): Promise<void> {
    return this.write(`${JSON.stringify(value)}\n`);
  }

  /** Resolves when everything written so far was handed over, or the reader is gone. */
  async flush(): Promise<void> {
    if (this.#parts.length === 0 || this.#closed) return;
    const whole = Buffer.concat(
      this.#parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)),
    );
    this.#parts = [];
    this.#pendingBytes = 0;
    await new Promise<void>((resolve) => {
      this.#stdout.write(whole, (error) => {
        if (error) this.#closed = true;
        resolve();
      });
    });
  }

  /** For people: warnings, progress, summaries. Never part of the result. */
  note(text: string): void {
    this.#stderr.write(`${text}\n`);
  }

  /** Raw text for a line that is drawn again and again. */
  draw(text: string): void {
    this.#stderr.write(text);
  }
}
