import { parseDuration } from '@flotilla/server/texts';
import type { Command } from 'commander';
import type { WriteConditions } from '../database.ts';
import { CommandFailure, ExitCode, QuietExit } from '../failure.ts';
import type { CommandSpec, Context, Options } from '../program.ts';
import { readAll } from '../stdin.ts';
import { bytesOfHex, bytesOfText, hexOf, jsonField, jsonRecord, shown } from '../text/bytes.ts';

/** Commands on single keys. */

function bytesOf(text: string, what: string, options: Options): Uint8Array {
  return options.hex === true ? bytesOfHex(text, what) : bytesOfText(text, what);
}

function keyOf(args: readonly string[], options: Options): Uint8Array {
  const key = bytesOf(args[0] ?? '', 'the key', options);
  if (key.length === 0) throw new CommandFailure('the key is empty: a key has 1 to 1024 bytes');
  return key;
}

async function valueBytes(text: string | undefined, options: Options, context: Context): Promise<Uint8Array> {
  const { file } = options;
  if (typeof file === 'string') {
    if (text !== undefined)
      throw new CommandFailure('a value and --file exclude each other: give one of them');
    return readAll(file, context.io);
  }
  if (text === undefined) {
    throw new CommandFailure(
      'the value is missing: write it after the key, or use --file FILE (- is standard input)',
    );
  }
  return bytesOf(text, 'the value', options);
}

function hexOption(command: Command): void {
  command.option('--hex', 'keys and values are written in hexadecimal');
}

function fileOption(command: Command): void {
  command.option('--file <file>', 'take the value from a file, byte by byte; - is standard input');
}

function conditionOptions(command: Command): void {
  command
    .option('--if-absent', 'only if the key does not exist')
    .option('--if-present', 'only if the key exists')
    .option('--if-version <version>', 'only if this is the version of the key (0: it does not exist)')
    .option('--ttl <time>', 'remove the key after this time');
}

function count(text: string, what: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new CommandFailure(`${what} "${text}" is not a whole number`);
}

function conditionsOf(options: Options): WriteConditions {
  return {
    ...(options.ifAbsent === true ? { ifAbsent: true } : {}),
    ...(options.ifPresent === true ? { ifPresent: true } : {}),
    ...(typeof options.ifVersion === 'string' ? { ifVersion: count(options.ifVersion, '--if-version') } : {}),
    ...(typeof options.ttl === 'string' ? { ttl: parseDuration(options.ttl) } : {}),
  };
}

/** `ok, version 7`, or the key and what became of it as JSON. */
async function changed(
  context: Context,
  key: Uint8Array,
  options: Options,
  result: { readonly version: number },
): Promise<void> {
  const { output } = context;
  if (!output.json) return output.line(`ok, version ${result.version}`);
  await output.value({ ...jsonField('key', key, options.hex === true), version: result.version });
}

const put: CommandSpec = {
  usage: 'put <key> [value]',
  summary: 'store a value under a key',
  examples: ['put greeting hello', 'put greeting "hello again" --if-present --ttl 10m'],
  options: (command) => {
    hexOption(command);
    fileOption(command);
    conditionOptions(command);
  },
  async run(context, args, options) {
    const key = keyOf(args, options);
    const conditions = conditionsOf(options);
    const value = await valueBytes(args[1], options, context);
    const database = await context.database();
    await changed(context, key, options, await database.put(key, value, conditions));
  },
};

const get: CommandSpec = {
  usage: 'get <key>',
  summary: 'print the value of a key; an absent key prints nothing and exits 1',
  examples: ['get greeting', 'get greeting --json --read follower'],
  options: hexOption,
  async run(context, args, options) {
    const { output, globals } = context;
    const key = keyOf(args, options);
    const database = await context.database();
    const record = await database.get(key, globals.read);
    const hex = options.hex === true;
    if (output.json) await output.value(record === undefined ? null : jsonRecord(record, hex));
    else if (record !== undefined) {
      await output.write(hex ? hexOf(record.value) : record.value);
      await output.write('\n');
    }
    if (record === undefined) throw new QuietExit(ExitCode.refused);
  },
};

const del: CommandSpec = {
  usage: 'del <key>',
  summary: 'delete a key; it is no error if there is none',
  examples: ['del greeting', 'del greeting --if-version 7'],
  options: (command) => {
    hexOption(command);
    command
      .option('--if-present', 'fail if the key does not exist')
      .option('--if-version <version>', 'only if this is the version of the key');
  },
  async run(context, args, options) {
    const key = keyOf(args, options);
    const conditions = conditionsOf(options);
    const database = await context.database();
    await changed(context, key, options, await database.delete(key, conditions));
  },
};

const append: CommandSpec = {
  usage: 'append <key> [value]',
  summary: 'add bytes to the end of a value, which may be absent before',
  examples: ['append greeting "!"', 'append log --file entry.txt'],
  options: (command) => {
    hexOption(command);
    fileOption(command);
    conditionOptions(command);
  },
  async run(context, args, options) {
    const key = keyOf(args, options);
    const conditions = conditionsOf(options);
    const value = await valueBytes(args[1], options, context);
    const database = await context.database();
    await changed(context, key, options, await database.append(key, value, conditions));
  },
};

const INT64_MAX = 2n ** 63n - 1n;

function int64(text: string): bigint {
  const number = /^[+-]?\d{1,20}$/.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined;
  if (number !== undefined && number <= INT64_MAX && number >= -INT64_MAX - 1n) return number;
  throw new CommandFailure(`"${text}" is not a whole number of 64 bits`);
}

const incr: CommandSpec = {
  usage: 'incr <key> [n]',
  summary: 'add a whole number (default 1) to a decimal value and print the sum',
  examples: ['incr visits', 'incr stock -3'],
  options: hexOption,
  async run(context, args, options) {
    const { output } = context;
    const key = keyOf(args, options);
    const amount = int64(args[1] ?? '1');
    const database = await context.database();
    const { sum, version } = await database.increment(key, amount);
    if (!output.json) return output.line(sum);
    // As text: a JSON number above 2^53 is another number to most readers.
    await output.value({ ...jsonField('key', key, options.hex === true), value: sum, version });
  },
};

const cas: CommandSpec = {
  usage: 'cas <key> <expected> <new>',
  summary: 'replace a value if it is the expected one; exits 1 if it is not',
  examples: ['cas greeting hello goodbye', 'cas lock "" me --json'],
  options: hexOption,
  async run(context, args, options) {
    const key = keyOf(args, options);
    const expected = bytesOf(args[1] ?? '', 'the expected value', options);
    const value = bytesOf(args[2] ?? '', 'the new value', options);
    const database = await context.database();
    await changed(context, key, options, await database.put(key, value, { ifValue: expected }));
  },
};

const scan: CommandSpec = {
  usage: 'scan <prefix>',
  summary: 'print keys and values that begin with a prefix, in key order over all shards',
  examples: ['scan user: --limit 10', 'scan "" --json'],
  options: (command) => {
    hexOption(command);
    command
      .option('--limit <n>', 'print at most so many')
      .option('--reverse', 'from the last key to the first')
      .option('--keys', 'print keys only');
  },
  async run(context, args, options) {
    const { output, globals } = context;
    const prefix = bytesOf(args[0] ?? '', 'the prefix', options);
    const limit = typeof options.limit === 'string' ? count(options.limit, '--limit') : undefined;
    const hex = options.hex === true;
    const database = await context.database();
    const wanted = {
      prefix,
      ...(limit === undefined ? {} : { limit }),
      ...(options.reverse === true ? { reverse: true } : {}),
    };
    for await (const record of database.scan(wanted, globals.read)) {
      if (output.closed) break;
      if (options.keys === true) {
        const { key } = record;
        await (output.json ? output.value(jsonField('key', key, hex)) : output.line(shown(key, hex)));
      } else if (output.json) await output.value(jsonRecord(record, hex));
      else await output.line(`${shown(record.key, hex)}\t${shown(record.value, hex)}`);
    }
  },
};

export const dataCommands: readonly CommandSpec[] = [put, get, del, append, incr, cas, scan];
