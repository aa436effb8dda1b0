import { fork } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../suites.ts';
import type { Task, Verdict } from './verdict.ts';

const HEAP_MIB_MAX = 1_024;
const ERROR_LENGTH_MAX = 2_000;

/** Runs a sabotage in a process of its own. One that never ends, or ends without a word, is broken. */
export function ask(task: Task, millisecondsMax: number): Promise<Verdict> {
  const child = fork(join(import.meta.dirname, 'child.ts'), {
    cwd: root,
    execArgv: ['--conditions=flotilla-source', `--max-old-space-size=${HEAP_MIB_MAX}`],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let errors = '';
  child.stderr?.on('data', (data: Buffer) => {
    errors = (errors + data.toString()).slice(-ERROR_LENGTH_MAX);
  });
  return new Promise((resolve) => {
    let verdict: Verdict | undefined;
    const timer = setTimeout(() => {
      verdict = { kind: 'broken', why: `no answer within ${millisecondsMax / 1000} s` };
      child.kill('SIGKILL');
    }, millisecondsMax);
    child.on('message', (message: Verdict) => {
      verdict = message;
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(verdict ?? { kind: 'broken', why: `its process ended with ${code}: ${errors}` });
    });
    child.send(task);
  });
}
