import { copies } from './copies.ts';
import { ownership } from './ownership.ts';
import { sessions } from './sessions.ts';
import type { Variant } from './variant.ts';

export type { Variant } from './variant.ts';

/** All protocols that are wrong by one rule. */
export const variants: readonly Variant[] = [...ownership, ...copies, ...sessions];
