import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { benchCommand } from './commands/bench.ts';
import { checkCommand } from './commands/check.ts';
import { clusterCommands } from './commands/cluster.ts';
import { dataCommands } from './commands/data.ts';
import { devCommand } from './commands/dev.ts';
import { moveCommands } from './commands/moves.ts';
import { simCommand } from './commands/sim.ts';
import { storeCommand } from './commands/store.ts';
import { transferCommands } from './commands/transfer.ts';
import { Database } from './database.ts';
import { CommandFailure, ExitCode, type Failure, failureOf, failureText, QuietExit } from './failure.ts';
import { addGlobals, type Globals, readGlobals } from './globals.ts';
import { Output } from './output.ts';

/** The command line: which commands there are, how they are run, and how everything that fails is told. */

export interface Io {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What a command works with. */
export interface Context {
  readonly io: Io;
  readonly output: Output;
  readonly globals: Globals;
  /** Connects to the cluster; closed when the command ends. */
  database(timeoutMs?: number): Promise<Database>;
}

export interface CommandSpec {
  /** Name and arguments, e.g. `put <key> [value]`. */
  readonly usage: string;
  readonly summary: string;
  /** Lines of arguments that really work; `--help` ends with them. */
  readonly examples: readonly [string, string];
  readonly options?: (command: Command) => void;
  /** Options that take time to load; only for a command that is about to be used. */
  readonly prepare?: (command: Command) => Promise<void>;
  readonly run: (context: Context, args: readonly string[], options: Options) => Promise<void>;
}

export type Options = Readonly<Record<string, unknown>>;

const EXIT_CODES = 'Exit codes: 0 done, 1 wrong usage or refused, 2 cluster degraded, 3 unavailable.';

const specs: readonly CommandSpec[] = [
  devCommand,
  storeCommand,
  ...dataCommands,
  ...transferCommands,
  ...clusterCommands,
  ...moveCommands,
  benchCommand,
  simCommand,
  checkCommand,
];

/** Runs one command; resolves to its exit code after everything was printed. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const json = wantsJson(argv);
  const output = new Output({ json, stdout: io.stdout, stderr: io.stderr });
  let exitCode: number = ExitCode.done;
  try {
    const program = await build(argv, io, output);
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    exitCode = report(error, output);
  }
  await output.flush();
  return exitCode;
}

/** Known before anything is parsed, since a failure to parse is told in the same form. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}

function report(error: unknown, output: Output): number {
  if (error instanceof QuietExit) return error.exitCode;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0 || error.code === 'commander.help') return error.exitCode;
    const message = error.message.replace(/^error: /, '').replace('\n', ' ');
    return tell(failureOf(new CommandFailure(`${message}. See flotilla --help.`)), output);
  }
  return tell(failureOf(error), output);
}

function tell(failure: Failure, output: Output): number {
  output.note(output.json ? JSON.stringify({ error: failure.report }) : failureText(failure));
  return failure.exitCode;
}

const version = createRequire(import.meta.url)('../package.json').version as string;

async function build(argv: readonly string[], io: Io, output: Output): Promise<Command> {
  const program = new Command('flotilla');
  program
    .description('Flotilla: a sharded key-value store on many Raft groups')
    .version(version, '--version', 'print the version')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void output.write(text),
      writeErr: (text) => output.draw(text),
      // Told by `report`, once and in the form that was asked for.
      outputError: () => {},
    })
    .addHelpText('after', `\nExamples:\n  flotilla dev\n  flotilla put greeting hello\n\n${EXIT_CODES}`);
  addGlobals(program);
  for (const spec of specs) {
    const command = program.command(spec.usage).summary(spec.summary).description(spec.summary);
    spec.options?.(command);
    if (argv.includes(command.name())) await spec.prepare?.(command);
    const examples = spec.examples.map((example) => `  flotilla ${example}`).join('\n');
    command.addHelpText('after', `\nExamples:\n${examples}\n\n${EXIT_CODES}`);
    command.action(async () => {
      const globals = readGlobals(program.opts(), io.environment);
      await runSpec(spec, { io, output, globals }, command);
    });
  }
  return program;
}

async function runSpec(spec: CommandSpec, base: Omit<Context, 'database'>, command: Command): Promise<void> {
  const open: Database[] = [];
  const context: Context = {
    ...base,
    async database(timeoutMs = base.globals.timeoutMs) {
      const database = await Database.open(base.globals.endpoints, timeoutMs);
      open.push(database);
      return database;
    },
  };
  try {
    // An argument with dots (`<gids...>`) arrives as a list.
    const args = command.processedArgs.flat().filter((argument) => argument !== undefined);
    await spec.run(context, args.map(String), command.opts());
  } finally {
    for (const database of open) await database.close();
  }
}
