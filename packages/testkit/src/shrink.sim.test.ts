import { expect, test } from 'vitest';
import { CALLERS, CLIENTS } from './cluster-shape.ts';
import { report } from './report.ts';
import { shrink } from './shrink.ts';
import { caseOptions, caseText, readCase } from './sim-case.ts';
import { simOptions } from './sim-options.ts';
import { seedOptions } from './sim-seeds.ts';
import { runOnce, type SimulationOptions, type SimulationResult } from './simulation.ts';

// What is wrong on purpose stands for a bug: from the failure to the smallest run that shows it.

const BUDGET_MS = 60_000;
const ACTIONS_MAX = 10;

const planted = [
  ['a client that sends a doubtful write again as a new one', 'blind-retry'],
  ['a disk that comes back blank', 'disk-blank'],
] as const;

function firstFailure(sabotage: SimulationOptions['sabotage']): [SimulationOptions, SimulationResult] {
  for (let seed = 1; seed <= 40; seed++) {
    const options: SimulationOptions = { seed, seconds: 8, thinkMs: 40 };
    const result = runOnce({ ...options, ...(sabotage === undefined ? {} : { sabotage }) });
    if (result.failure !== undefined) return [options, result];
  }
  return expect.unreachable('no seed notices it');
}

test.each(planted)(
  `%s is replayed by the command that is printed, and shrinks to ${ACTIONS_MAX} fault actions at most`,
  (_title, sabotage) => {
    const [options, failed] = firstFailure(sabotage);
    const text = report(options, failed);
    const command = /^replay: npm run sim -- (.+)$/m.exec(text)?.[1] ?? '';
    expect(text).toContain(`\nshrink: npm run sim -- ${command} --shrink`);
    expect(text).toContain('\nfirst bad event: at ');
    const parsed = simOptions(command.split(' '));
    if (parsed === undefined) return expect.unreachable('the command only asks for help');
    const again = runOnce({ ...seedOptions(0, parsed), sabotage });
    expect(again.failure?.report()).toBe(failed.failure?.report());
    expect(again.hash).toBe(failed.hash);

    const nowMs = (): number => performance.now();
    const shrunk = shrink({ ...options, sabotage }, { budgetMs: BUDGET_MS, nowMs, run: runOnce });
    if (shrunk === undefined) return expect.unreachable('it fails');
    const { checker = '', message = '' } = shrunk.result.failure ?? {};
    expect(checker).toBe(failed.failure?.checker);
    const { schedule, seed, seconds, clients = CLIENTS, workersPerClient = CALLERS } = shrunk.options;
    expect(schedule.founding.length + schedule.faults.length).toBeLessThanOrEqual(ACTIONS_MAX);

    const found = { story: 'planted', checker, message, commit: '' };
    const file = caseText({ found, options: { seed, seconds, clients, workersPerClient }, schedule });
    const kept = caseOptions(readCase(file));
    const { hash } = shrunk.result;
    expect(runOnce({ ...kept, sabotage })).toMatchObject({ hash, failure: { checker, message } });
    // Nothing else is wrong: the sources as they are pass.
    expect(runOnce(kept).failure?.report()).toBeUndefined();
  },
);
