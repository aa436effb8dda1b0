import { isAlive } from './running.ts';

/** Processes that are not our children. */

/** Resolves when the process is gone. Nobody tells us, so this looks, at short distances and not for ever. */
export async function ends(pid: number, patienceMs = 20_000): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (isAlive(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} still runs`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
