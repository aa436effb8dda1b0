import { UsageError } from '@flotilla/base';
import { describe, expect, test } from 'vitest';
import { type ConfigSources, loadConfig } from './load.ts';
import { environmentName, kebab, settingNames, settings } from './settings.ts';

function load(sources: Partial<ConfigSources>) {
  return loadConfig({ environment: {}, file: undefined, ...sources, flags: { id: 's1', ...sources.flags } });
}

function mistakeOf(sources: Partial<ConfigSources>): string {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return 'no mistake was found';
}

const yaml = (text: string) => ({ path: 'store.yaml', text });

describe('settings of a store', () => {
  test('a flag wins over the environment, that over the file, that over the default', () => {
    const file = yaml('data: from-file\nlisten: 127.0.0.1:1\nzone: z\n');
    const environment = { FLOTILLA_LISTEN: ':2', FLOTILLA_DATA: 'from-environment' };
    const { config, origins } = load({ flags: { listen: '3' }, environment, file });
    expect(config.listen).toBe('127.0.0.1:3');
    expect(config.data).toBe('from-environment');
    expect(config.zone).toBe('z');
    expect(config.shards).toBe(256);
    expect([origins.listen, origins.data, origins.zone, origins.shards]).toEqual([
      '--listen',
      'FLOTILLA_DATA',
      'store.yaml:3: zone',
      'default',
    ]);
  });

  test('lists are written with commas or, in the file, one item a line', () => {
    const { config } = load({
      flags: { data: 'd', bootstrap: 's1,s2' },
      file: yaml('join:\n  - a\n  - b:1\n'),
    });
    expect(config.join).toEqual(['a:7401', 'b:1']);
    expect(config.bootstrap).toEqual(['s1', 's2']);
  });

  test('a switch is on by its bare flag and takes words elsewhere', () => {
    expect(load({ flags: { data: 'd', insecure: true } }).config.insecure).toBe(true);
    expect(load({ flags: { data: 'd' }, environment: { FLOTILLA_LEASE: 'off' } }).config.lease).toBe(false);
    expect(load({ file: yaml('data: d\nlease: false') }).config.lease).toBe(false);
  });

  test('a mistake in the file names file, line and field', () => {
    const file = yaml('data: d\n\nlisten: a:b\n');
    expect(mistakeOf({ file })).toMatch(/^store\.yaml:3: listen: "a:b" is not an address/);
  });

  test('an unknown field in the file is told with the nearest known one', () => {
    expect(mistakeOf({ file: yaml('data: d\nlistne: 1\n') })).toBe(
      'store.yaml:2: listne: no such setting; did you mean listen?',
    );
  });

  test('a file that is not YAML, or no map, is told with its line', () => {
    expect(mistakeOf({ file: yaml('data: d\n\tlisten: 1') })).toMatch(/^store\.yaml:2: this is not YAML/);
    expect(mistakeOf({ file: yaml('- a\n') })).toMatch(/^store\.yaml:1: settings are wanted here/);
    expect(mistakeOf({ file: yaml('data:\n  a: 1\n') })).toMatch(/^store\.yaml:1: data: a single value/);
  });

  test('a mistake in the environment names the variable', () => {
    const environment = { FLOTILLA_SHARDS: '0', FLOTILLA_DATA: 'd' };
    expect(mistakeOf({ environment })).toBe('FLOTILLA_SHARDS: "0" is not a number of shards: use 1 to 4096');
  });

  test('all mistakes are told at once, each on its line', () => {
    const flags = { id: '-', heartbeat: '50', logLevel: 'loud' };
    const lines = mistakeOf({ flags }).split('\n');
    expect(lines.map((line) => line.split(/[: ]/)[0])).toEqual([
      '--id',
      '--data',
      '--log-level',
      '--heartbeat',
    ]);
  });

  test('listening where others can reach it needs a word that this is meant', () => {
    const flags = { data: 'd', listen: '10.1.2.3:7401' };
    expect(mistakeOf({ flags })).toMatch(/^--listen: 10\.1\.2\.3:7401 can be reached from other machines/);
    expect(load({ flags: { ...flags, insecure: true } }).config.listen).toBe('10.1.2.3:7401');
  });

  test('a wildcard address needs one that can be dialled', () => {
    const flags = { data: 'd', listen: '0.0.0.0:7401', insecure: true };
    expect(mistakeOf({ flags })).toMatch(/^--advertise: nobody can dial 0\.0\.0\.0:7401/);
  });

  test('a store founds only clusters that it is part of, with one to seven stores, each named once', () => {
    const found = (bootstrap: string) => mistakeOf({ flags: { data: 'd', id: 's9', bootstrap } });
    expect(found('s1,s2')).toMatch(/^--bootstrap: this store is s9, which is not among s1,s2/);
    expect(found('s9,s9')).toBe('--bootstrap: store s9 is named twice');
    expect(found('s1,s2,s3,s4,s5,s6,s7,s9')).toMatch(/^--bootstrap: 8 stores cannot found group 0/);
  });

  test('an election timeout of a few heartbeats is refused', () => {
    const flags = { data: 'd', electionTimeout: '400ms' };
    expect(mistakeOf({ flags })).toMatch(/^--election-timeout: use at least twelve heartbeats/);
  });

  test('a heartbeat that outlasts a lease is taken only without leases', () => {
    const flags = { data: 'd', heartbeat: '250ms', electionTimeout: '5s' };
    expect(mistakeOf({ flags })).toMatch(/^--heartbeat: a lease lasts 135ms/);
    expect(load({ flags: { ...flags, lease: 'off' } }).config.heartbeat).toBe(250);
  });

  test('what has to be given is asked for', () => {
    expect(mistakeOf({ flags: { id: undefined } })).toBe(
      '--id is missing: give the store a name that it keeps for ever, like s1\n' +
        '--data is missing: name the directory that holds this store',
    );
  });

  test('every default passes its own check, and every setting has help', () => {
    for (const name of settingNames) {
      const { fallback, help, schema } = settings[name];
      expect(help.length).toBeGreaterThan(0);
      if (fallback !== undefined) expect(schema.safeParse(fallback).success).toBe(true);
    }
    expect([kebab('logLevel'), environmentName('logLevel')]).toEqual(['log-level', 'FLOTILLA_LOG_LEVEL']);
  });
});
