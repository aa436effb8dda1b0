import type { RaftLogger, RaftLogLevel } from '@flotilla/raft';

export const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'NONE'] as const;
export type Level = (typeof LEVELS)[number];

/** What a case prints: texts of the commands and log lines of the nodes, in the order in which they happen. */
export class Output implements RaftLogger {
  level: Level = 'DEBUG';
  #text = '';

  get isEmpty(): boolean {
    return this.#text === '';
  }

  /** Text so far; the buffer is empty afterwards. */
  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  write(text: string): void {
    if (this.level !== 'NONE') this.#text += text;
  }

  log(level: RaftLogLevel, text: () => string): void {
    const name = level.toUpperCase() as Level;
    if (LEVELS.indexOf(this.level) <= LEVELS.indexOf(name)) this.#text += `${name} ${text()}\n`;
  }

  /** Everything that `run` prints gets two spaces in front of each line, and its last line an end. */
  indented(run: () => void): void {
    const outer = this.take();
    try {
      run();
    } finally {
      const inner = this.take();
      const lines = inner.split('\n');
      if (lines[lines.length - 1] === '') lines.pop();
      this.#text = outer + lines.map((line) => `  ${line}\n`).join('');
    }
  }
}
