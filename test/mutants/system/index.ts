import { configs } from './configs.ts';
import { durability } from './durability.ts';
import { leases } from './leases.ts';
import { moves } from './moves.ts';
import type { Sabotage } from './sabotage.ts';
import { sessions } from './sessions.ts';

export type { Sabotage } from './sabotage.ts';

/** All sabotages of the system. */
export const sabotages: readonly Sabotage[] = [...durability, ...leases, ...sessions, ...moves, ...configs];
