import { CommandFailure, ExitCode, QuietExit } from '../failure.ts';
import type { CommandSpec, Context } from '../program.ts';
import { openInput, STANDARD_INPUT } from '../stdin.ts';
import { readLines } from '../transfer/line-reader.ts';

/** Judges a history that a program recorded: the checkers of the simulator, on calls of real processes. */

/** The checkers come with the whole simulator: whoever does not check need not wait for it. */
const loadTestkit = () => import('@flotilla/testkit');
type Testkit = Awaited<ReturnType<typeof loadTestkit>>;
type History = ReturnType<InstanceType<Testkit['HistoryReader']>['end']>;

/** What no checker can be asked about; 1 is kept for histories that are wrong. */
function unusable(place: string, why: string): CommandFailure {
  return new CommandFailure(`${place}: ${why}`, ExitCode.degraded, 'FLOTILLA_HISTORY');
}

async function readHistory(file: string, { io }: Context, testkit: Testkit): Promise<History> {
  const reader = new testkit.HistoryReader();
  const name = file === STANDARD_INPUT ? 'standard input' : file;
  let last = 0;
  try {
    for await (const { number, text, fault } of readLines(openInput(file, io))) {
      last = number;
      if (text === undefined) throw unusable(`${name}, line ${number}`, fault);
      reader.line(text);
    }
  } catch (error) {
    if (error instanceof testkit.InputError) throw unusable(`${name}, line ${last}`, error.message);
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof CommandFailure || code === undefined) throw error;
    throw unusable(name, `it cannot be read (${code})`);
  }
  return reader.end();
}

export const checkCommand: CommandSpec = {
  usage: 'check <file>',
  summary:
    'is a recorded history linearizable? exits with 0 if so, 1 if not, 2 if it cannot be read (- is standard input)',
  examples: ['check history.jsonl', 'check - < history.jsonl'],
  async run(context, [file = STANDARD_INPUT]) {
    const { output } = context;
    const testkit = await loadTestkit();
    const history = await readHistory(file, context, testkit);
    const operations = history.operations.length + history.scans.length;
    try {
      testkit.checkHistory(history);
    } catch (error) {
      if (!(error instanceof testkit.CheckFailure)) throw error;
      const { checker, message, story } = error;
      if (output.json) await output.value({ operations, ok: false, checker, message, story });
      else await output.line(error.report());
      throw new QuietExit(ExitCode.refused);
    }
    if (output.json) return output.value({ operations, ok: true });
    await output.line(`${operations} operations: linearizable`);
  },
};
