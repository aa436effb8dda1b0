import { CommandFailure, ExitCode, failureOf } from '../failure.ts';
import type { Output } from '../output.ts';
import type { CommandSpec } from '../program.ts';
import { inputBytes, openInput } from '../stdin.ts';
import { bytesOfHex, bytesOfText, jsonField } from '../text/bytes.ts';
import { Progress } from '../text/progress.ts';
import { bytesText, countText, plural, timeText } from '../text/table.ts';
import { readLines } from '../transfer/line-reader.ts';
import { loadLines } from '../transfer/load.ts';

/** Commands that move many records between files and the cluster. */

/** A long job should outlive an election or the restart of a store. */
const LOAD_TIMEOUT_MS = 30_000;

/** Lines told of a load that ends at its first failure; what else was on its way tells nothing new. */
const FAILURES_TOLD = 3;

/** Tells failed lines: each at once when the load goes on, else the first ones, in order, at the end. */
class Failures {
  readonly #output: Output;
  readonly #file: string;
  readonly #immediate: boolean;
  readonly #beforeTelling: () => void;
  #kept: { readonly line: number; readonly message: string }[] = [];

  constructor(output: Output, file: string, immediate: boolean, beforeTelling: () => void) {
    this.#output = output;
    this.#file = file;
    this.#immediate = immediate;
    this.#beforeTelling = beforeTelling;
  }

  add(line: number, message: string): void {
    if (this.#immediate) this.#tell(line, message);
    else this.#kept.push({ line, message });
  }

  tellRest(): void {
    this.#kept.sort((left, right) => left.line - right.line);
    for (const { line, message } of this.#kept.slice(0, FAILURES_TOLD)) this.#tell(line, message);
    this.#kept = [];
  }

  #tell(line: number, message: string): void {
    this.#beforeTelling();
    const output = this.#output;
    const file = this.#file;
    if (output.json) output.note(JSON.stringify({ event: 'line-failed', file, line, message }));
    else output.note(`error: ${file}:${line}: ${message}`);
  }
}

const load: CommandSpec = {
  usage: 'load <file>',
  summary: 'store the records of a file with lines {"key": …, "value": …}; - is standard input',
  examples: ['load records.jsonl', 'load - --continue-on-error'],
  options: (command) => {
    command.option('--continue-on-error', 'go on after a line that cannot be stored');
  },
  async run(context, args, options) {
    const { output, globals, io } = context;
    const file = args[0] as string;
    const name = file === '-' ? 'standard input' : file;
    const total = await inputBytes(file);
    const database = await context.database(globals.timeoutGiven ? globals.timeoutMs : LOAD_TIMEOUT_MS);
    const progress = new Progress(output, 'records');
    const continueOnError = options.continueOnError === true;
    const failures = new Failures(output, name, continueOnError, () => progress.clear());
    const summary = await loadLines(readLines(openInput(file, io)), database, {
      continueOnError,
      onFailure: (line, message) => failures.add(line, message),
      onProgress: (stored, endOffset) => progress.update(endOffset, total, stored),
    });
    failures.tellRest();
    progress.clear();
    const seconds = progress.elapsedMs / 1000;
    const { stored, failed, bytes } = summary;
    if (output.json) {
      await output.value({ event: 'loaded', stored, failed, bytes, seconds, complete: summary.complete });
    } else {
      const rate = `${countText(stored / Math.max(seconds, 0.001))}/s`;
      await output.line(
        `stored ${plural(stored, 'record')} (${bytesText(bytes)}) in ${timeText(progress.elapsedMs)}, ${rate}` +
          (failed > 0 ? `; ${plural(failed, 'line')} failed` : ''),
      );
    }
    if (failed === 0) return;
    const exitCode =
      summary.writeFailure === undefined ? ExitCode.refused : failureOf(summary.writeFailure).exitCode;
    const advice = continueOnError
      ? 'Correct these lines and load them again: a record that is stored twice is stored once'
      : 'Correct the line and load the file again, or use --continue-on-error to store all others';
    throw new CommandFailure(`${plural(failed, 'line')} of ${name} could not be stored. ${advice}`, exitCode);
  },
};

const dump: CommandSpec = {
  usage: 'dump <prefix>',
  summary: 'write all records that begin with a prefix as lines that load can read',
  examples: ['dump user: > users.jsonl', 'dump "" | gzip > everything.jsonl.gz'],
  options: (command) => {
    command.option('--hex', 'the prefix is written in hexadecimal');
  },
  async run(context, args, options) {
    const { output, globals } = context;
    const text = args[0] ?? '';
    const prefix = options.hex === true ? bytesOfHex(text, 'the prefix') : bytesOfText(text, 'the prefix');
    const database = await context.database(globals.timeoutGiven ? globals.timeoutMs : LOAD_TIMEOUT_MS);
    for await (const { key, value } of database.scan({ prefix }, globals.read)) {
      if (output.closed) break;
      await output.value({ ...jsonField('key', key), ...jsonField('value', value) });
    }
  },
};

export const transferCommands: readonly CommandSpec[] = [load, dump];
