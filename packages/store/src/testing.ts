/** For models and simulations: what the drivers of moves decide, apart from how they bring it about. */
export { dutyOf } from './moves/move-duties.ts';
export { type MoveView, type NextStep, nextStep } from './moves/next-step.ts';
