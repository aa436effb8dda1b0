import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import type { StoreConfig } from '@flotilla/server/config';
import { Option } from 'commander';
import { CommandFailure, QuietExit } from '../failure.ts';
import type { CommandSpec, Options } from '../program.ts';

/** One store of a cluster. Its flags come from the table of settings in the server. */

function readConfigFile(path: string | undefined): { path: string; text: string } | undefined {
  if (path === undefined) return undefined;
  return { path, text: readFileSync(path, 'utf8') };
}

async function readConfig(
  options: Options,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<StoreConfig> {
  const { loadConfig } = await import('@flotilla/server/config');
  const path = (options.config as string | undefined) ?? environment.FLOTILLA_CONFIG;
  try {
    const flags = options as Record<string, string | boolean | undefined>;
    return loadConfig({ flags, environment, file: readConfigFile(path) }).config;
  } catch (error) {
    const { mistakes } = (error as { details?: { mistakes?: readonly string[] } }).details ?? {};
    if (mistakes === undefined) throw error;
    const head = mistakes.length === 1 ? '' : `${mistakes.length} settings are wrong:\n`;
    throw new CommandFailure(`${head}${mistakes.join('\n')}`);
  }
}

export const storeCommand: CommandSpec = {
  usage: 'store',
  summary: 'run one store of a cluster until SIGTERM',
  examples: [
    'store --id s4 --listen 127.0.0.1:7404 --data ./s4 --join 127.0.0.1:7401',
    'store --config s4.yaml --log-level debug',
  ],
  async prepare(command) {
    const { environmentName, kebab, settingNames, settings } = await import('@flotilla/server/config');
    command.option('--config <file>', 'YAML file with settings (FLOTILLA_CONFIG)');
    for (const name of settingNames) {
      const { placeholder, help, fallback } = settings[name];
      const flag =
        placeholder === undefined ? `--${kebab(name)}` : `--${kebab(name)} <${placeholder.toLowerCase()}>`;
      const usual =
        fallback === undefined || fallback === '' || fallback === 'false' ? '' : `; default ${fallback}`;
      command.addOption(new Option(flag, `${help} (${environmentName(name)}${usual})`));
    }
    command.addOption(new Option('--exit-with-parent', 'stop when standard input ends').hideHelp());
  },
  async run({ io, output }, _args, options) {
    const config = await readConfig(options, io.environment);
    const { runStoreProcess } = await import('@flotilla/server');
    // Now, because a store seldom ends in a way that would let it do so then.
    flushCompileCache();
    const exitCode = await runStoreProcess(config, {
      announce: (event, fields, text) => {
        void (output.json ? output.value({ event, ...fields }) : output.line(text)).then(() =>
          output.flush(),
        );
      },
      parent: options.exitWithParent === true ? io.stdin : undefined,
    });
    if (exitCode !== 0) throw new QuietExit(exitCode as 1);
  },
};
