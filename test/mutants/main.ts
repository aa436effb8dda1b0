import process from 'node:process';

/** `npm run mutants`: what is wrong on purpose has to be noticed, by the tests or by the simulator. */
const [, , what] = process.argv;
if (what === 'raft') await import('./raft-main.ts');
else if (what === 'system') await import('./system-main.ts');
else {
  console.error('usage: npm run mutants -- raft|system [options]; there is --list for either, too');
  process.exit(1);
}
