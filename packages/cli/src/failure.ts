/**
 * How a command ends. Everything that goes wrong becomes one {@link Failure}: printed as `error: what. why.
 * next step`, or with --json as {"error":{code,message,retry,outcome}}, both on standard error, and no stack.
 */

export const ExitCode = {
  done: 0,
  /** Wrong usage, or the cluster said no. */
  refused: 1,
  degraded: 2,
  unavailable: 3,
  /** A defect of our own, or of the storage under a store. */
  broken: 70,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export interface FailureReport {
  readonly code: string;
  readonly message: string;
  readonly retry: string;
  readonly outcome: string;
}

/** A failure that a command decides on by itself. */
export class CommandFailure extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;
  constructor(message: string, exitCode: ExitCode = ExitCode.refused, code = 'FLOTILLA_USAGE') {
    super(message);
    this.name = 'CommandFailure';
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** Ends a command with an exit code and without a word: everything has been said. */
export class QuietExit extends Error {
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode) {
    super(`exit ${exitCode}`);
    this.name = 'QuietExit';
    this.exitCode = exitCode;
  }
}

export interface Failure {
  readonly exitCode: ExitCode;
  readonly report: FailureReport;
}

/** What every error class of Flotilla carries. Recognised by its fields, wherever it was made. */
interface Coded {
  readonly code: string;
  readonly message: string;
  readonly retry: string;
  readonly outcome: string;
}

function isCoded(error: unknown): error is Coded {
  if (!(error instanceof Error)) return false;
  const { code, retry, outcome } = error as Partial<Coded>;
  return typeof code === 'string' && code.startsWith('FLOTILLA_') && typeof retry === 'string' && !!outcome;
}

/** Codes that say: nobody was able to answer. Any other one is a refusal. */
const unavailableCodes: readonly string[] = [
  'FLOTILLA_UNAVAILABLE',
  'FLOTILLA_DEADLINE',
  'FLOTILLA_OVERLOADED',
  'FLOTILLA_CLOSED',
];

function exitCodeOf(error: Coded): ExitCode {
  if (unavailableCodes.includes(error.code)) return ExitCode.unavailable;
  // An admin refusal of the kind "no leader now" is worth another try, unlike a lost race.
  const waiting = error.retry === 'backoff' && error.code !== 'FLOTILLA_CONFLICT';
  return waiting ? ExitCode.unavailable : ExitCode.refused;
}

const systemAdvice: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
  ENOSPC: 'the disk is full',
};

export function failureOf(error: unknown): Failure {
  if (error instanceof CommandFailure) {
    const { code, message, exitCode } = error;
    return { exitCode, report: { code, message, retry: 'never', outcome: 'not-applied' } };
  }
  if (isCoded(error)) {
    const { code, message, retry, outcome } = error;
    return { exitCode: exitCodeOf(error), report: { code, message, retry, outcome } };
  }
  const system = error as NodeJS.ErrnoException;
  if (error instanceof Error && typeof system.code === 'string' && typeof system.path === 'string') {
    const why = systemAdvice[system.code] ?? system.message;
    const message = `cannot use ${system.path}: ${why} (${system.code})`;
    const report = { code: 'FLOTILLA_FILE', message, retry: 'never', outcome: 'not-applied' };
    return { exitCode: ExitCode.refused, report };
  }
  // What nobody foresaw is a defect, and then the place matters more than a tidy screen.
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const message = `this is a defect in flotilla: ${text}`;
  const report = { code: 'FLOTILLA_DEFECT', message, retry: 'never', outcome: 'unknown' };
  return { exitCode: ExitCode.broken, report };
}

export function failureText({ report }: Failure): string {
  const doubt = report.outcome === 'unknown' ? '\nIt is not known whether the change took effect.' : '';
  return `error: ${report.message}${doubt}`;
}
