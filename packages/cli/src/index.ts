/** The flotilla command as a function, for tests and for programs that bring their own process. */
export type { Io } from './program.ts';
export { run } from './program.ts';
