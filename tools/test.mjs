// The fast suites: type checks, format and lint, then all tests. `--check` stops before the tests; other arguments go to
// vitest (`npm test -- packages/raft`). The last line is always `N passed, N failed`, one for each test and each check.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const modules = join(root, 'node_modules');
const report = join(modules, '.cache', 'flotilla', `vitest-${process.pid}.json`);
const tsc = join(modules, 'typescript', 'bin', 'tsc');
const biome = join(modules, '@biomejs', 'biome', 'bin', 'biome');
const vitest = join(modules, 'vitest', 'vitest.mjs');

let running;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    running?.kill(signal);
    process.exitCode = 1;
  });
}

/** Resolves to the exit code; a child that was killed counts as failed. */
function run(args) {
  return new Promise((resolve, reject) => {
    running = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    running.on('error', reject);
    running.on('exit', (code) => resolve(code ?? 1));
  });
}

/** Counts tests, plus test files that failed as a whole (an import error, a failed hook). */
function countTests(exitCode) {
  let result;
  try {
    result = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return { passed: 0, failed: 1 }; // vitest ended before it could write its report.
  }
  const brokenFiles = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = result.numFailedTests + brokenFiles;
  // An error outside of any test fails the run without failing a test.
  return { passed: result.numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

const total = { passed: 0, failed: 0 };

async function step(name, args, count) {
  process.stdout.write(`\n== ${name}\n`);
  const start = performance.now();
  const exitCode = await run(args);
  const { passed, failed } = count(exitCode);
  total.passed += passed;
  total.failed += failed;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`== ${name}: ${failed === 0 ? 'ok' : 'FAILED'} in ${seconds} s\n`);
}

const asOneCheck = (exitCode) => (exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
const checkOnly = process.argv.includes('--check');
const filters = process.argv.slice(2).filter((argument) => argument !== '--check');

await step('types of packages', [tsc, '-b'], asOneCheck);
await step('types of tests', [tsc, '-p', 'tsconfig.test.json'], asOneCheck);
await step('format and lint', [biome, 'check', '--error-on-warnings', '.'], asOneCheck);
if (!checkOnly) {
  mkdirSync(join(report, '..'), { recursive: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  await step('tests', [vitest, 'run', ...reporters, ...filters], countTests);
  rmSync(report, { force: true });
}

process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
if (total.failed > 0) process.exitCode = 1;
