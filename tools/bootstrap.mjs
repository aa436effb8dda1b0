#!/usr/bin/env node
// Runs a script on the pinned Node, whatever Node and npm the machine has: `node tools/bootstrap.mjs SCRIPT ARGS...`
//
// 1. Installs the dependencies with the exact pnpm of package.json, unless a stamp in node_modules says that
//    they already match the lockfile and every package.json.
// 2. Runs SCRIPT on the Node that the npm package `node` has put into node_modules, with TypeScript sources
//    resolved through the export condition `flotilla-source`. Where the running Node can, it turns into that
//    process (execve) and no wrapper remains; otherwise it forwards signals and passes the exit code on.
//
// Plain JavaScript without dependencies that must run on Node 20. Its own messages go to standard error, since
// standard output belongs to SCRIPT.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const windows = process.platform === 'win32';
const pinnedNode = join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node');
const stampFile = join(root, 'node_modules', '.flotilla-installed');
const lockFile = join(root, 'node_modules', '.flotilla-installing');

/** A digest of everything that decides what an install puts into node_modules. */
function wantedStamp() {
  const manifests = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'];
  for (const name of ['examples', 'test']) manifests.push(join(name, 'package.json'));
  for (const name of readdirSync(join(root, 'packages')).sort())
    manifests.push(join('packages', name, 'package.json'));
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const path of manifests) {
    if (existsSync(join(root, path))) hash.update(`${path}\n`).update(readFileSync(join(root, path)));
  }
  return hash.digest('hex');
}

function installed(stamp) {
  return existsSync(pinnedNode) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Two commands started together on a fresh clone must not install at the same time: the second one waits. */
function withInstallLock(work) {
  mkdirSync(dirname(lockFile), { recursive: true });
  for (;;) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    let owner = 0;
    try {
      owner = Number(readFileSync(lockFile, 'utf8'));
    } catch {
      continue; // The owner has just finished.
    }
    // An empty file is an owner between create and write; a dead owner was killed in the middle of its install.
    if (owner !== 0 && !alive(owner)) rmSync(lockFile, { force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  try {
    return work();
  } finally {
    rmSync(lockFile, { force: true });
  }
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function install() {
  const pnpm = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager;
  process.stderr.write(`Installing dependencies with ${pnpm}\n`);
  const args = ['--yes', pnpm, 'install', '--frozen-lockfile', '--config.confirmModulesPurge=false'];
  const result = spawnSync('npx', args, { cwd: root, stdio: ['ignore', 2, 2], shell: windows });
  if (result.error) fail(`Cannot run npx, which comes with npm: ${result.error.message}`);
  if (result.signal) fail(`The installation was stopped by ${result.signal}.`);
  if (result.status !== 0) {
    fail(
      `The installation failed (exit code ${result.status}). If a package.json was changed, update the lockfile ` +
        `with: npx ${pnpm} install`,
    );
  }
  if (!existsSync(pinnedNode)) {
    fail(`The installation left no Node at ${pinnedNode}. Remove node_modules and run the command again.`);
  }
}

function ensureInstalled() {
  if (installed(wantedStamp())) return;
  withInstallLock(() => {
    if (installed(wantedStamp())) return;
    install();
    writeFileSync(stampFile, wantedStamp());
  });
}

function run(args) {
  const command = [pinnedNode, ['--conditions=flotilla-source', ...args]];
  if (process.execve && !windows) process.execve(pinnedNode, [pinnedNode, ...command[1]], process.env);

  const child = spawn(command[0], command[1], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to the whole process group, so the child already has it.
  const interruptReachesChild = process.stdin.isTTY === true;
  const forward = (signal) => {
    if (signal !== 'SIGINT' || !interruptReachesChild) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  child.on('error', (error) => fail(`Cannot start ${pinnedNode}: ${error.message}`));
  child.on('exit', (code, signal) => {
    for (const name of signals) process.off(name, forward);
    // Death by a signal is reported the way shells do it, in case the signal does not end this process too.
    process.exitCode = signal ? 128 + constants.signals[signal] : code;
    if (signal) process.kill(process.pid, signal);
  });
}

const script = process.argv[2];
if (script === undefined) fail('Usage: node tools/bootstrap.mjs SCRIPT [ARGUMENT...]');
ensureInstalled();
run([join(root, script), ...process.argv.slice(3)]);
