import { Op, ReadLevel, type Result, Status } from '@flotilla/wire';
import {
  type ClientCore,
  type ClientFailure,
  type FailureCode,
  ReadOperation,
  WriteOperation,
} from './core/index.ts';
import {
  ConflictError,
  type Expectation,
  errorOf,
  InvalidArgumentError,
  NotANumberError,
  OverflowError,
  ProtocolError,
  ValueTooLargeError,
} from './errors.ts';
import { KeyRecord, textOf, wholeNumber } from './values.ts';

/** Operations of the core that settle a promise: the only one that the facade makes for each. */

export type ReadName = 'linearizable' | 'follower' | 'stale';

export interface CallOptions {
  /** Ends the call early. A write that was sent may still be applied: see `outcome` of the error. */
  readonly signal?: AbortSignal;
  /** For this call and all its retries, ms. */
  readonly timeout?: number;
}

export interface ReadOptions extends CallOptions {
  /** Default: `linearizable`. */
  readonly read?: ReadName;
  /** With `stale`: how old an answer may be, ms. */
  readonly maxAge?: number;
}

const STALE_MS = 5_000;

export function levelOf(options: ReadOptions): { readonly level: ReadLevel; readonly maxAgeMs: number } {
  const { read = 'linearizable', maxAge } = options;
  if (maxAge !== undefined && read !== 'stale') {
    throw new InvalidArgumentError(`maxAge has a meaning with read: 'stale' only, not with '${read}'`);
  }
  switch (read) {
    case 'linearizable':
      return { level: ReadLevel.linearizable, maxAgeMs: 0 };
    case 'follower':
      return { level: ReadLevel.follower, maxAgeMs: 0 };
    case 'stale':
      return {
        level: ReadLevel.stale,
        maxAgeMs: Math.min(wholeNumber(maxAge ?? STALE_MS, 'maxAge', 0), 0xffff_ffff),
      };
    default:
      throw new InvalidArgumentError(`read must be linearizable, follower or stale, not ${String(read)}`);
  }
}

export function timeoutOf(options: CallOptions): number | undefined {
  return options.timeout === undefined ? undefined : wholeNumber(options.timeout, 'timeout', 1);
}

/** Something that can be given up. */
interface Endable {
  giveUp(code: FailureCode, message: string, cause?: unknown): void;
}

const ABORTED = 'the call was aborted by its signal';

/** Throws if the signal has fired already, so that nothing is begun. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw errorOf(abortFailure(signal.reason));
}

function abortFailure(cause: unknown): ClientFailure {
  return { code: 'aborted', message: ABORTED, retry: 'never', outcome: 'not-applied', details: {}, cause };
}

/** Gives `work` up when the signal fires; returns what removes the listener again. */
export function watchSignal(signal: AbortSignal | undefined, work: Endable): () => void {
  if (signal === undefined) return nothing;
  const onAbort = (): void => work.giveUp('aborted', ABORTED, signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
}

function nothing(): void {}

/** `value` is exact up to 2^53; `text` always is. */
export interface IncrementResult {
  readonly version: number;
  readonly value: number;
  readonly text: string;
}

export interface WriteResult {
  readonly version: number;
}

function unfit(result: Result | undefined): ProtocolError {
  return new ProtocolError(
    `a store answered with status ${result?.status}, which does not fit: update the older of client and store`,
  );
}

export class PromisedWrite extends WriteOperation implements Endable {
  resolve!: (result: never) => void;
  reject!: (error: Error) => void;
  /** Which condition an error names. */
  expectation: Expectation = 'value';
  unwatch: () => void = nothing;
  readonly #core: ClientCore;

  constructor(core: ClientCore, op: Op, key: Uint8Array) {
    super();
    this.#core = core;
    this.op = op;
    this.key = key;
  }

  giveUp(code: FailureCode, message: string, cause?: unknown): void {
    this.#core.giveUp(this, code, message, cause);
  }

  settled(): void {
    this.unwatch();
    const { result } = this;
    if (result?.status === Status.ok) {
      if (this.op === Op.increment) this.#resolveNumber(result.version, result.value);
      else this.resolve({ version: result.version } as never);
    } else {
      this.reject(this.#error(result));
    }
  }

  #resolveNumber(version: number, value: Uint8Array): void {
    const text = textOf(value);
    const result: IncrementResult = { version, value: Number(text), text };
    this.resolve(result as never);
  }

  #error(result: Result | undefined): Error {
    if (this.failure !== undefined) return errorOf(this.failure);
    const key = textOf(this.key);
    switch (result?.status) {
      case Status.conflict:
        return new ConflictError(key, this.expectation, result.version);
      case Status.notANumber:
        return new NotANumberError(
          `the value of "${key}" is not a decimal 64-bit integer: nothing was changed`,
        );
      case Status.overflow:
        return new OverflowError(`the sum for "${key}" does not fit 64 bits: nothing was changed`);
      case Status.tooLarge:
        return new ValueTooLargeError(
          `the value of "${key}" would be longer than a value may be: nothing was changed`,
        );
      default:
        return unfit(result);
    }
  }
}

export class PromisedGet extends ReadOperation implements Endable {
  resolve!: (record: KeyRecord | undefined) => void;
  reject!: (error: Error) => void;
  unwatch: () => void = nothing;
  /** The key as the caller wrote it, if as text. */
  readonly #name: string | undefined;
  readonly #core: ClientCore;

  constructor(core: ClientCore, key: Uint8Array, name: string | undefined) {
    super();
    this.#core = core;
    this.key = key;
    this.#name = name;
  }

  giveUp(code: FailureCode, message: string, cause?: unknown): void {
    this.#core.giveUp(this, code, message, cause);
  }

  settled(): void {
    this.unwatch();
    const { result } = this;
    if (this.failure !== undefined) this.reject(errorOf(this.failure));
    else if (result?.status === Status.absent) this.resolve(undefined);
    else if (result?.status === Status.record) this.resolve(recordOf(this.key, this.#name, result));
    else this.reject(unfit(result));
  }
}

/** Copies the value: what the core hands out is a part of a whole frame. */
export function recordOf(
  key: Uint8Array,
  name: string | undefined,
  read: { readonly value: Uint8Array; readonly version: number; readonly createVersion: number },
): KeyRecord {
  return new KeyRecord(name ?? textOf(key), key, read.value.slice(), read.version, read.createVersion);
}
