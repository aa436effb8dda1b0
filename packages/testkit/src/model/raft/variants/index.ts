import { elections } from './elections.ts';
import { logs } from './logs.ts';
import { membership } from './membership.ts';
import type { Variant } from './variant.ts';

export type { Variant } from './variant.ts';

/** All cores that are wrong by one rule. */
export const variants: readonly Variant[] = [...elections, ...logs, ...membership];
