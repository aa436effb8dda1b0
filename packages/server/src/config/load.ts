import { type ErrorDetails, UsageError } from '@flotilla/base';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import {
  checkTogether,
  environmentName,
  kebab,
  type Mistake,
  type StoreConfig,
  settingNames,
  settings,
} from './settings.ts';
import { nearest } from './texts.ts';

/** Flag over environment over file over default; a mistake says in which of them it stands. */

export interface ConfigSources {
  /** By the name of the setting, as text; switches may be true. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: { readonly path: string; readonly text: string } | undefined;
}

export interface LoadedConfig {
  readonly config: StoreConfig;
  /** Where each value came from: `--listen`, `FLOTILLA_LISTEN`, `store.yaml:3: listen`, `default`. */
  readonly origins: { readonly [K in keyof StoreConfig]: string };
}

const required: Readonly<Partial<Record<keyof StoreConfig, string>>> = {
  id: 'give the store a name that it keeps for ever, like s1',
  data: 'name the directory that holds this store',
};

interface Found {
  readonly value: unknown;
  readonly origin: string;
}

function mistakesError(mistakes: readonly string[], details: ErrorDetails = {}): UsageError {
  return new UsageError(mistakes.join('\n'), { ...details, mistakes });
}

/** Values of the file by key, each with its place. Throws for a file that is no map of settings. */
function readFile(path: string, text: string): ReadonlyMap<string, Found> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): string => `${path}:${lines.linePos(offset).line}`;
  const [fault] = document.errors;
  if (fault !== undefined) {
    throw mistakesError([`${place(fault.pos[0])}: this is not YAML: ${fault.message}`], { path });
  }
  const found = new Map<string, Found>();
  if (document.contents === null) return found;
  if (!isMap(document.contents)) {
    throw mistakesError([`${path}:1: settings are wanted here, one a line, like "listen: 127.0.0.1:7401"`], {
      path,
    });
  }
  const known = settingNames.map(kebab);
  const mistakes: string[] = [];
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : '?';
    const offset = (key as { readonly range?: readonly number[] | null }).range?.[0] ?? 0;
    const origin = `${place(offset)}: ${name}`;
    if (!known.includes(name)) {
      const near = nearest(name, known);
      const advice = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
      mistakes.push(`${origin}: no such setting; ${advice}`);
      continue;
    }
    const node = value as { toJSON?: () => unknown } | null;
    found.set(name, { value: isScalar(value) ? value.value : node?.toJSON?.(), origin });
  }
  if (mistakes.length > 0) throw mistakesError(mistakes, { path });
  return found;
}

function find(
  name: keyof StoreConfig,
  sources: ConfigSources,
  file: ReadonlyMap<string, Found>,
): Found | undefined {
  const flag = sources.flags[name];
  if (flag !== undefined) return { value: String(flag), origin: `--${kebab(name)}` };
  const variable = environmentName(name);
  const environment = sources.environment[variable];
  if (environment !== undefined) return { value: environment, origin: variable };
  const inFile = file.get(kebab(name));
  if (inFile !== undefined) return inFile;
  const { fallback } = settings[name];
  return fallback === undefined ? undefined : { value: fallback, origin: 'default' };
}

/** All settings, or a {@link UsageError} with one line for each mistake. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const file = sources.file === undefined ? new Map() : readFile(sources.file.path, sources.file.text);
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  const mistakes: string[] = [];
  for (const name of settingNames) {
    const found = find(name, sources, file);
    origins[name] = found?.origin ?? 'not given';
    if (found === undefined) {
      values[name] = undefined;
      const missing = required[name];
      if (missing !== undefined) mistakes.push(`--${name} is missing: ${missing}`);
      continue;
    }
    const result = settings[name].schema.safeParse(found.value);
    if (result.success) values[name] = result.data;
    else mistakes.push(`${found.origin}: ${result.error.issues.map((issue) => issue.message).join('; ')}`);
  }
  if (mistakes.length > 0) throw mistakesError(mistakes);
  const config = values as unknown as StoreConfig;
  const together = checkTogether(config).map(({ setting, text }: Mistake) => {
    const origin = origins[setting] as string;
    return `${origin === 'default' || origin === 'not given' ? `--${kebab(setting)}` : origin}: ${text}`;
  });
  if (together.length > 0) throw mistakesError(together);
  return { config, origins: origins as LoadedConfig['origins'] };
}
