import { InputError, listOf, numberOf, show, wholeOf } from './input.ts';
import type { SimulationOptions } from './simulation.ts';
import { faultKinds } from './world/faults.ts';

/** Options come from programs of users, too: what makes no sense is told, not simulated. Throws an `InputError`. */
export function checkSimulationOptions(options: SimulationOptions): void {
  const { seed, seconds, stores, groups, clients, workersPerClient, thinkMs, movesMs, faults } = options;
  wholeOf(seed, 'seed', 0, 0xffff_ffff);
  wholeOf(seconds, 'seconds', 1, 3_600);
  if (stores !== undefined) wholeOf(stores, 'stores', 1, 9);
  if (groups !== undefined) wholeOf(groups, 'groups', 1, 64);
  if (clients !== undefined) wholeOf(clients, 'clients', 0, 1_000);
  if (workersPerClient !== undefined) wholeOf(workersPerClient, 'workersPerClient', 1, 1_000);
  if (thinkMs !== undefined) numberOf(thinkMs, 'thinkMs', 0);
  if (movesMs !== undefined) numberOf(movesMs, 'movesMs', 1);
  if (faults === undefined) return;
  for (const [at, kind] of listOf(faults, 'faults').entries()) {
    const isKnown = (faultKinds as readonly unknown[]).includes(kind);
    if (!isKnown)
      throw new InputError(`faults[${at}]`, `there is no kind ${show(kind)}: use ${faultKinds.join(', ')}`);
  }
}
