import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { freePorts, occupy, removeDirectories, temporaryDirectory } from './harness/places.ts';
import { endAll, flotilla, root } from './harness/running.ts';

// The command without a cluster behind it: help, mistakes, exit codes.

afterAll(async () => {
  await endAll();
  removeDirectories();
});

const commands = [
  ...['dev', 'store', 'put', 'get', 'del', 'append', 'incr', 'cas', 'scan', 'load', 'dump'],
  ...['join', 'leave', 'config', 'status', 'where', 'transfer-leader', 'bench', 'sim', 'check'],
  ...['move', 'moves', 'pause', 'resume', 'cancel', 'rebalance', 'policy'],
];

describe('help', () => {
  test('lists every command and the exit codes', async () => {
    const { code, out } = await flotilla(['--help']);
    expect(code).toBe(0);
    for (const command of commands) expect(out).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'));
    expect(out.split('\n').at(-1)).toBe(
      'Exit codes: 0 done, 1 wrong usage or refused, 2 cluster degraded, 3 unavailable.',
    );
  });

  test.each(commands)('of %s ends with two examples and the exit codes', async (command) => {
    const { code, out } = await flotilla(['help', command]);
    expect(code).toBe(0);
    const lines = out.split('\n');
    const [head, first, second, blank, codes] = lines.slice(-5);
    expect(head).toBe('Examples:');
    for (const example of [first, second]) expect(example?.startsWith(`  flotilla ${command}`)).toBe(true);
    expect(blank).toBe('');
    expect(codes).toMatch(/^Exit codes: 0 done/);
  });
});

test('the version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'packages', 'cli', 'package.json'), 'utf8'));
  expect(await flotilla(['--version'])).toMatchObject({ code: 0, out: version, err: '' });
});

test('no command at all is answered with the help, exit code 1', async () => {
  const { code, out, err } = await flotilla([]);
  expect([code, out]).toEqual([1, '']);
  expect(err).toMatch(/^Usage: flotilla/);
});

describe('a mistake', () => {
  test.each([
    [['sttaus'], /unknown command 'sttaus' \(Did you mean status\?\)/],
    [['get', 'a', '--jsno'], /unknown option '--jsno' \(Did you mean --json\?\)/],
    [['get'], /missing required argument 'key'/],
    [['put', 'a'], /the value is missing: write it after the key, or use --file FILE/],
    [['put', 'a', 'b', '--file', '-'], /a value and --file exclude each other/],
    [['put', '', 'b'], /the key is empty: a key has 1 to 1024 bytes/],
    [['put', 'xyz', '00', '--hex'], /the key "xyz" is not hexadecimal/],
    [['get', 'a', '--timeout', '5'], /--timeout: "5" is not a duration: write a number and ms, s, m or h/],
    [['get', 'a', '--read', 'eventual'], /--read: "eventual" is not a read level/],
    [['get', 'a', '--endpoints', 'a:b:c'], /--endpoints: "a:b:c" is not an address/],
    [['incr', 'a', '1.5'], /"1.5" is not a whole number of 64 bits/],
    [['incr', 'a', '9223372036854775808'], /is not a whole number of 64 bits/],
    [['join', '0', '--stores', 's1'], /0 is the controller group/],
    [['join', '1'], /group 1 has no stores: add --stores s1,s2,s3, or write 1=s1,s2,s3 for each group/],
    [['join', '1=s1', '--stores', 's1'], /--stores and 1=s1 exclude each other/],
    [['join', '1', '--stores', 's1,,s2'], /--stores: "" is not a store id/],
    [['join', '1', '--stores', 's1,s1'], /--stores names s1 twice/],
    [['move', 'x', '1'], /"x" is not a shard/],
    [['cancel', '17-4'], /"17-4" is not a move: use 17 for all moves of config 17, or 17\/4/],
    [['policy', '--auto', 'yes'], /--auto: "yes" is neither on nor off/],
    [['policy', '--move-rate', '16'], /--move-rate: "16" is not a rate: write bytes a second, like 16MB/],
    [['policy', '--moves-per-store', '65'], /--moves-per-store: "65" is not a whole number from 1 to 64/],
    [['bench', '--workload', 'scan'], /--workload: "scan" is unknown: use put, get or mix/],
    [['bench', '--callers', '0'], /--callers: "0" is not a whole number from 1 to 65536/],
    [['load', '/no/such/file.jsonl'], /cannot use \/no\/such\/file.jsonl: there is no such file/],
    [['dev', '--stores', '0'], /--stores: "0" is not a whole number from 1 to 32/],
    [['dev', '--groups', '3', '--shards', '2'], /--groups 3 is more than --shards 2/],
    [['dev', '--port', '65535'], /--port 65535 leaves no room for 3 stores/],
  ] as const)('in flotilla %j is told in one clear line, exit code 1', async (args, message) => {
    const { code, out, err } = await flotilla(args);
    expect(err).toMatch(message);
    expect(err).toMatch(/^error: /);
    expect(err.split('\n')).toHaveLength(1);
    expect(err).not.toMatch(/^ +at /m);
    expect([code, out]).toEqual([1, '']);
  });

  test('is one JSON value on standard error with --json', async () => {
    const { code, err, out } = await flotilla(['--json', 'get', 'a', '--timeout', 'soon']);
    expect([code, out]).toEqual([1, '']);
    expect(JSON.parse(err)).toEqual({
      error: {
        code: 'FLOTILLA_USAGE',
        message: '--timeout: "soon" is not a duration: write a number and ms, s, m or h, like 500ms or 5s',
        retry: 'never',
        outcome: 'not-applied',
      },
    });
  });

  test('in the environment is told by the name of the variable', async () => {
    const { code, err } = await flotilla(['status'], { env: { FLOTILLA_ENDPOINTS: 'host:port' } });
    expect(code).toBe(1);
    expect(err).toMatch(/^error: FLOTILLA_ENDPOINTS: "host:port" is not an address/);
  });
});

describe('settings of a store', () => {
  test('are refused all at once, each with its place', async () => {
    const file = join(temporaryDirectory(), 'store.yaml');
    writeFileSync(file, 'data: /nowhere\n\nlisten: here:there\nzoen: a\n');
    const { code, err } = await flotilla(['store', '--config', file, '--id', 's1']);
    expect(code).toBe(1);
    expect(err).toContain(`${file}:4: zoen: no such setting; did you mean zone?`);
  });

  test('that open a port to everybody need a word that this is meant', async () => {
    const { code, err } = await flotilla(['store', '--id', 's1', '--data', 'x', '--listen', '0.0.0.0:7401']);
    expect(code).toBe(1);
    expect(err).toMatch(/--listen: 0\.0\.0\.0:7401 can be reached from other machines/);
    expect(err).toMatch(/--advertise: nobody can dial 0\.0\.0\.0:7401/);
  });
});

describe('a port that is taken', () => {
  test('keeps a store from starting with one clear line and exit code 1', async () => {
    const port = await freePorts(1);
    const server = await occupy(port);
    const data = join(temporaryDirectory(), 's1');
    const listen = `127.0.0.1:${port}`;
    const { code, err } = await flotilla(['store', '--id', 's1', '--data', data, '--listen', listen]);
    server.close();
    expect(code).toBe(1);
    const lines = err.split('\n').filter((line) => line.startsWith('error: '));
    expect(lines).toEqual([
      `error: cannot listen on ${listen}: another process uses the port: stop it, or choose another port with --listen`,
    ]);
  });

  test('keeps dev from starting anything', async () => {
    const port = await freePorts(3);
    const server = await occupy(port + 1);
    const directory = join(temporaryDirectory(), 'dev');
    const { code, out, err } = await flotilla(['dev', '--dir', directory, '--port', String(port)]);
    server.close();
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      `error: cannot listen on 127.0.0.1:${port + 1}: something listens there already, perhaps another flotilla dev. Stop it, or choose other ports with --port.`,
    );
  });
});
