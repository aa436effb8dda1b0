import type { Result } from './running.ts';

/** Waiting for what nobody tells a test by itself: it looks, at short distances and not for ever. */

export const lookMs = 20;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves with the first answer that is not undefined. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  patienceMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms in vain for ${what}`);
    await pause(lookMs);
  }
}

export interface Commands {
  run(args: readonly string[]): Promise<Result>;
}

/** The first line of status once it begins so: what stores know of each other follows events by a moment. */
export function health(cluster: Commands, word: 'Healthy' | 'Degraded' | 'Unavailable'): Promise<string> {
  return until(`a status that begins with ${word}`, async () => {
    const { out } = await cluster.run(['status']);
    const first = out.split('\n')[0] ?? '';
    return first.startsWith(word) ? first : undefined;
  });
}
