import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A change of one place in one source file, made as the module is loaded; the file itself stays as it is. */
export interface Patch {
  /** From the root of the repository. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** Everything that is wrong comes to its end. */
export const noAssertions: Patch = {
  file: 'packages/base/src/assert.ts',
  find: 'if (!condition) throw',
  replace: 'if (false) throw',
};

/** A change of every module in a folder, behind the patches. */
export interface Rewriting {
  /** From the root of the repository, with a slash at its end. */
  readonly folder: string;
  readonly rewritten: (text: string) => string;
}

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** The text with the patch; throws unless it fits exactly one place, so that no patch ever fades away unnoticed. */
export function patched(text: string, patch: Patch): string {
  const parts = text.split(patch.find);
  if (parts.length === 2) return parts.join(patch.replace);
  throw new Error(
    `a patch of ${patch.file} fits ${parts.length - 1} places instead of one: the source has changed, so look at ` +
      `what the patch is for and write it anew\n--- it looks for\n${patch.find}`,
  );
}

/** All patches must fit, also those of modules that are never loaded. */
export function checkPatches(patches: readonly Patch[]): void {
  const texts = new Map<string, string>();
  for (const patch of patches) {
    const text = texts.get(patch.file) ?? readFileSync(join(root, patch.file), 'utf8');
    texts.set(patch.file, patched(text, patch));
  }
}

/**
 * From now on modules are loaded with these patches; before that nothing may be loaded that they concern. Returns
 * the patches whose module was not loaded until now.
 */
export function loadWith(patches: readonly Patch[], rewriting?: Rewriting): () => readonly Patch[] {
  checkPatches(patches);
  const byUrl = new Map<string, Patch[]>();
  for (const patch of patches) {
    const url = pathToFileURL(join(root, patch.file)).href;
    byUrl.set(url, [...(byUrl.get(url) ?? []), patch]);
  }
  const folder = rewriting === undefined ? undefined : pathToFileURL(join(root, rewriting.folder)).href;
  const made = new Set<Patch>();
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const wanted = byUrl.get(url) ?? [];
      const isRewritten = folder !== undefined && url.startsWith(folder);
      if (wanted.length === 0 && !isRewritten) return loaded;
      const { source } = loaded;
      let text = typeof source === 'string' ? source : new TextDecoder().decode(source as ArrayBuffer);
      for (const patch of wanted) {
        text = patched(text, patch);
        made.add(patch);
      }
      if (isRewritten && rewriting !== undefined) text = rewriting.rewritten(text);
      return { ...loaded, source: text };
    },
  });
  return () => patches.filter((patch) => !made.has(patch));
}
