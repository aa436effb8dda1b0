import { parseDuration } from '@flotilla/server/texts';
import type { Command } from 'commander';
import { type BenchPlan, preload, runClosedLoop, type Workload } from '../bench/closed-loop.ts';
import { CommandFailure, failureOf } from '../failure.ts';
import type { CommandSpec, Options } from '../program.ts';
import { countText } from '../text/table.ts';

const workloads: readonly Workload[] = ['put', 'get', 'mix'];

function whole(options: Options, name: string, least: number, most: number): number {
  const text = String(options[name]);
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new CommandFailure(`--${flag}: "${text}" is not a whole number from ${least} to ${most}`);
}

function planOf(options: Options): BenchPlan {
  const workload = workloads.find((each) => each === options.workload);
  if (workload === undefined) {
    throw new CommandFailure(`--workload: "${String(options.workload)}" is unknown: use put, get or mix`);
  }
  const seconds = parseDuration(String(options.duration)) / 1000;
  if (seconds < 0.1) throw new CommandFailure('--duration: use at least 100ms');
  return {
    workload,
    callers: whole(options, 'callers', 1, 65_536),
    seconds,
    warmupSeconds: parseDuration(String(options.warmup)) / 1000,
    keys: whole(options, 'keys', 1, 10_000_000),
    valueBytes: whole(options, 'valueSize', 0, 1_048_576),
  };
}

export const benchCommand: CommandSpec = {
  usage: 'bench',
  summary: 'measure operations a second and their latency; each caller has one operation in flight',
  examples: ['bench --callers 128 --duration 10s', 'bench --workload mix --callers 64 --json'],
  options: (command: Command) => {
    command
      .option('--callers <n>', 'callers at the same time', '128')
      .option('--duration <time>', 'how long', '10s')
      .option('--warmup <time>', 'how long before that, not counted', '2s')
      .option('--workload <name>', 'put, get, or mix (half and half)', 'put')
      .option('--keys <n>', 'different keys, of 16 bytes each', '100000')
      .option('--value-size <bytes>', 'bytes of each value', '128');
  },
  async run(context, _args, options) {
    const { output, globals } = context;
    const plan = planOf(options);
    const database = await context.database();
    const target = {
      put: (key: Uint8Array, value: Uint8Array) => database.put(key, value),
      get: (key: Uint8Array) => database.get(key, globals.read),
    };
    if (plan.workload !== 'put') {
      output.note(`writing ${countText(plan.keys)} keys that reads can find`);
      await preload(plan, target);
    }
    if (plan.warmupSeconds > 0) output.note(`warming up for ${plan.warmupSeconds} s`);
    let before = 0;
    let told = false;
    const result = await runClosedLoop(plan, target, {
      onSecond: (second, operations) => {
        output.note(`${second} s: ${countText(operations - before)} operations`);
        before = operations;
      },
      onError: (error) => {
        if (!told) output.note(`first error: ${failureOf(error).report.message}`);
        told = true;
      },
    });
    if (output.json) return output.value(result);
    const { workload, callers, seconds, operations, errors, opsPerSecond } = result;
    const latency = `p50 ${result.p50Ms.toFixed(2)} ms, p99 ${result.p99Ms.toFixed(2)} ms, p99.9 ${result.p999Ms.toFixed(2)} ms, max ${result.maxMs.toFixed(2)} ms`;
    await output.line(
      `${workload}, ${callers} callers, ${seconds.toFixed(1)} s: ${countText(operations)} operations, ` +
        `${countText(opsPerSecond)}/s, ${countText(errors)} errors; ${latency}`,
    );
  },
};
