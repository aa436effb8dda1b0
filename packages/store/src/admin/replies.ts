import { DecodeError, type StoreId } from '@flotilla/base';
import type { ColdCodec, ColdValue } from '@flotilla/ports';
import type { AdminFailure, AdminReply } from '@flotilla/wire';

export type Answer = (reply: AdminReply) => void;

export function failure(code: string, message: string, retry: AdminFailure['retry'] = 'never'): AdminFailure {
  return { ok: false, code, message, retry };
}

/** A result of the shapes in `wire/admin.ts`: plain data, of which a type alias alone does not convince the compiler. */
export function success(result: object): AdminReply {
  return { ok: true, result: result as ColdValue };
}

export function objectOf(value: ColdValue): { readonly [key: string]: ColdValue } {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || Array.isArray(value)) {
    throw new DecodeError('a question between stores is an object');
  }
  return value as { readonly [key: string]: ColdValue };
}

/** Whoever asked gets an answer, also when the other store's cannot be read: it may be of a newer version. */
export function readReply(codec: ColdCodec, cold: Uint8Array, from: StoreId): AdminReply {
  try {
    const value = objectOf(codec.decode(cold));
    if (typeof value.ok === 'boolean') return value as unknown as AdminReply;
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
  }
  const what = `the answer of store ${from} cannot be read: the change may or may not have happened`;
  return failure('no-answer', `${what}; ask again`, 'backoff');
}
