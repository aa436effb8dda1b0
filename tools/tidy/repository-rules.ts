// Rules about manifests, the lockfile, compiler settings and any text file.
import { layers } from './layers.ts';
import type { Violation } from './violation.ts';

export interface Manifest {
  readonly name?: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const exactVersion = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

/** Versions are exact everywhere; packages of this repository come from the workspace. */
export function checkVersions(file: string, manifest: Manifest): readonly Violation[] {
  const kinds = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'] as const;
  return kinds.flatMap((kind) =>
    Object.entries(manifest[kind] ?? {}).flatMap(([name, version]): Violation[] => {
      const own = name.startsWith('@flotilla/');
      if (own ? version === 'workspace:*' : exactVersion.test(version)) return [];
      const rule = `${kind} has ${name} ${version}`;
      return [{ file, rule, advice: own ? 'Write workspace:*' : 'Write one exact version, like 1.2.3' }];
    }),
  );
}

/** Dependencies of a package are a part of its row in the layer table. */
export function checkLayer(directory: string, manifest: Manifest): readonly Violation[] {
  const file = `packages/${directory}/package.json`;
  const row = layers[directory];
  if (row === undefined) {
    const advice = 'Decide its layer first, then add a row to tools/tidy/layers.ts';
    return [{ file, rule: `the package ${directory} is not in the layer table`, advice }];
  }
  const found: Violation[] = [];
  if (manifest.name !== `@flotilla/${directory}`) {
    found.push({ file, rule: `the name is ${manifest.name}`, advice: `Name it @flotilla/${directory}` });
  }
  const allowed = [...row.packages.map((name) => `@flotilla/${name}`), ...row.externals];
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    if (allowed.includes(name)) continue;
    const rule = `${directory} may not depend on ${name}`;
    found.push({
      file,
      rule,
      advice: `It may use ${allowed.join(', ') || 'nothing'} (tools/tidy/layers.ts)`,
    });
  }
  return found;
}

/** Every entry resolves to a source in development and to compiled code when published. */
export function checkExports(directory: string, manifest: Manifest): readonly Violation[] {
  const file = `packages/${directory}/package.json`;
  const entries = Object.entries(manifest.exports ?? {});
  const wrong = entries.filter(([, entry]) => {
    const keys = Object.keys(entry).join(' ');
    return keys !== 'flotilla-source types default' || !entry['flotilla-source']?.endsWith('.ts');
  });
  const advice = 'Give it flotilla-source (a .ts file), types and default, in this order';
  if (manifest.exports?.['.'] === undefined) return [{ file, rule: 'no entry "." in exports', advice }];
  return wrong.map(([entry]) => ({ file, rule: `the entry "${entry}" of exports is incomplete`, advice }));
}

interface CompilerSettings {
  readonly extends?: string;
  readonly compilerOptions?: Readonly<Record<string, unknown>>;
}

/** A pure package takes its libraries and types from tsconfig.pure.json alone. */
export function checkPureSettings(file: string, settings: CompilerSettings): readonly Violation[] {
  const advice =
    'Extend ../../tsconfig.pure.json and leave lib and types to it: it keeps I/O out of pure packages';
  if (settings.extends !== '../../tsconfig.pure.json') {
    return [{ file, rule: `a pure package extends ${settings.extends}`, advice }];
  }
  return ['lib', 'types', 'typeRoots']
    .filter((option) => settings.compilerOptions?.[option] !== undefined)
    .map((option) => ({ file, rule: `a pure package sets ${option}`, advice }));
}

/** The lockfile must install from whatever registry the machine uses. */
export function checkLockfile(file: string, text: string): readonly Violation[] {
  const advice =
    'Install with lockfileIncludeTarballUrl: false and without a registry of your own, then commit it again';
  return text.split('\n').flatMap((line, index): Violation[] => {
    const rule = /https?:\/\//.test(line) ? 'an address' : /\btarball:/.test(line) ? 'a tarball' : undefined;
    return rule === undefined ? [] : [{ file, line: index + 1, rule: `the lockfile names ${rule}`, advice }];
  });
}

// In two halves, because this file is checked too.
const markers = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);

/** Work that is left is written where it is planned, not into files. */
export function checkMarkers(file: string, text: string): readonly Violation[] {
  return text.split('\n').flatMap((line, index): Violation[] => {
    const marker = markers.exec(line)?.[0];
    if (marker === undefined) return [];
    const advice = 'Do it now, or say as a plain sentence what the code does not do';
    return [{ file, line: index + 1, rule: `the marker ${marker}`, advice }];
  });
}
