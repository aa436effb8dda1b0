import { DecodeError, isCount, type Reader, type Retry, type Writer } from '@flotilla/base';
import type { ColdCodec, ColdValue } from '@flotilla/ports';
import type { AdminFailure, ChangeResult } from '@flotilla/wire';

/** Why a command was refused. A refusal changes nothing. */
export type RefusalCode =
  /** The bytes are not a command of this entry format. */
  | 'bad-request'
  /** The request id belongs to another command. */
  | 'request-id-reused'
  | 'not-founded'
  /** The cluster exists, and not as this command describes it. */
  | 'other-cluster'
  | 'unknown-store'
  /** The store is known by newer facts than these. */
  | 'stale-store'
  /** The group exists on other stores. */
  | 'group-exists'
  /** Too few, too many or doubled replicas. */
  | 'bad-replicas'
  /** The cluster is as large as it can be. */
  | 'limit-reached'
  | 'unknown-group'
  | 'unknown-shard'
  /** No such move is open. */
  | 'unknown-move'
  /** The group leaves: it can neither get shards nor keep them. */
  | 'group-leaving'
  /** The groups that leave are the last ones, and their shards have nowhere to go. */
  | 'no-group-left';

export type ControllerAnswer = ({ readonly ok: true } & Omit<ChangeResult, 'plan'>) | ControllerRefusal;

export interface ControllerRefusal extends AdminFailure {
  readonly code: RefusalCode;
}

/** Messages are for people: what is longer ends with an ellipsis. The wire allows 4,096. */
const MESSAGE_LENGTH_MAX = 4000;

export function clip(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  // A cut inside a surrogate pair would leave a half that does not survive UTF-8.
  return `${text.slice(0, lengthMax - 1)}`.toWellFormed().concat('…');
}

export function refusal(code: RefusalCode, message: string, retry: Retry = 'never'): ControllerRefusal {
  return { ok: false, code, message: clip(message, MESSAGE_LENGTH_MAX), retry };
}

export function success(configNumber: number, changed: boolean, message: string): ControllerAnswer {
  return { ok: true, configNumber, changed, message: clip(message, MESSAGE_LENGTH_MAX) };
}

export function encodeControllerAnswer(codec: ColdCodec, answer: ControllerAnswer): Uint8Array {
  return codec.encode({ ...answer });
}

const retries: readonly Retry[] = ['never', 'refresh-route', 'backoff'];

/** Reads an answer that `apply` wrote; throws `DecodeError`. */
export function decodeControllerAnswer(codec: ColdCodec, bytes: Uint8Array): ControllerAnswer {
  const value = codec.decode(bytes);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const from = value as { readonly [key: string]: ColdValue };
    const { ok, configNumber, changed, code, message, retry } = from;
    if (typeof message === 'string') {
      if (ok === true && typeof configNumber === 'number' && isCount(configNumber)) {
        return { ok, configNumber, changed: changed === true, message };
      }
      const kind = retries.find((each) => each === retry);
      if (ok === false && typeof code === 'string' && kind !== undefined) {
        return { ok, code: code as RefusalCode, message, retry: kind };
      }
    }
  }
  throw new DecodeError('these bytes are not an answer of the controller');
}

/** The stored form has a codec of its own: the cold one may write the same value in more than one way. */
export function writeAnswer(out: Writer, answer: ControllerAnswer): void {
  out.bool(answer.ok);
  out.text(answer.message);
  if (answer.ok) {
    out.u53(answer.configNumber);
    out.bool(answer.changed);
  } else {
    out.text(answer.code);
    out.u8(retries.indexOf(answer.retry));
  }
}

export function readAnswer(from: Reader): ControllerAnswer {
  const ok = from.bool();
  const message = from.text(4 * MESSAGE_LENGTH_MAX);
  if (ok) return { ok, message, configNumber: from.u53(), changed: from.bool() };
  const code = from.text(64) as RefusalCode;
  const retry = retries[from.u8()];
  if (retry === undefined) throw new DecodeError('a stored refusal without a kind of retry');
  return { ok, code, message, retry };
}
