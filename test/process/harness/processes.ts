import { isAlive } from './running.ts';
import { until } from './waits.ts';

/** Processes that are not our children. */

/** Resolves when the process is gone. */
export async function ends(pid: number): Promise<void> {
  await until(`the end of process ${pid}`, () => (isAlive(pid) ? undefined : true), 20_000);
}
