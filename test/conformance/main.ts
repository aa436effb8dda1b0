import process from 'node:process';
import { conform } from './conform.ts';

/**
 * Runs etcd raft's data files against our core: `npm run conformance -- [DIR]`. DIR (or FLOTILLA_RAFT_TESTDATA)
 * has the folders quorum, confchange and interaction. Prints the first difference of each file that fails. With
 * `--rewrite DIR` the files get what they print now; that is for our own ones, in `test/scenarios/raft`.
 */
if (!conform(process.argv.slice(2), (line) => console.log(line))) process.exitCode = 1;
