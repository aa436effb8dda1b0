import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from './input.ts';
import { report, simCommand } from './report.ts';
import { shrink } from './shrink.ts';
import { caseText, readCase, type SimCase } from './sim-case.ts';
import { REGRESSIONS, type SimOptions } from './sim-options.ts';
import { runOnce, type SimulationOptions, simulate } from './simulation.ts';

/** Cases in files: read for a replay, and written after a run was shrunk. */

/** The file itself, or those of a folder by name. */
export function caseFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => join(path, name));
}

export function loadCase(file: string): SimCase {
  try {
    return readCase(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof InputError) throw new InputError(file, error.message);
    throw error;
  }
}

/** Cuts a run that failed down, tells how it goes, keeps the smallest one as a file and tells its story. */
export function shrinkAndKeep(run: SimulationOptions, { budgetMs, out }: SimOptions): void {
  console.log(`shrinking seed ${run.seed}, for ${Math.ceil(budgetMs / 1_000)} s at most`);
  const shrunk = shrink(run, {
    budgetMs,
    nowMs: () => performance.now(),
    run: runOnce,
    tell: (line) => console.log(`  ${line}`),
  });
  if (shrunk === undefined) {
    console.log(`seed ${run.seed} does not fail any more`);
    return;
  }
  const { options, runs, isDone } = shrunk;
  const whole = simulate(options);
  const { checker = '', message = '' } = whole.failure ?? {};
  const { schedule, seed, seconds, movesMs, clients, workersPerClient } = options;
  const folder = out ?? (existsSync(REGRESSIONS) ? REGRESSIONS : '.');
  mkdirSync(folder, { recursive: true });
  const file = freeName(join(folder, `${checker.replaceAll(' ', '-')}-${seed}`));
  const text = caseText({
    found: { story: `found by ${simCommand} with seed ${seed}`, checker, message, commit: commit() },
    options: {
      seed,
      seconds,
      ...(movesMs === undefined ? {} : { movesMs }),
      ...(clients === undefined ? {} : { clients }),
      ...(workersPerClient === undefined ? {} : { workersPerClient }),
    },
    schedule,
  });
  writeFileSync(file, text);
  const end = isDone ? 'nothing more can be left out' : 'time is up';
  console.log(
    `after ${runs} runs ${end}: ${schedule.founding.length + schedule.faults.length} fault actions are left`,
  );
  console.log(`kept in ${file}\n\n${report(options, whole, `${simCommand} --replay ${file}`)}\n`);
}

/** A case that is kept already stays as it is. */
function freeName(stem: string): string {
  for (let number = 1; ; number++) {
    const file = `${stem}${number === 1 ? '' : `-${number}`}.json`;
    if (!existsSync(file)) return file;
  }
}

function commit(): string {
  try {
    const args = ['rev-parse', '--short', 'HEAD'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
