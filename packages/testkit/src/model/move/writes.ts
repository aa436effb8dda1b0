import { assert, concatBytes, EMPTY_BYTES, utf8Encode, Writer } from '@flotilla/base';
import {
  beginEntry,
  blankCommand,
  blankRead,
  type Command,
  EntryBody,
  Flag,
  ItemKind,
  Op,
  type Read,
  ReadKind,
  stampEntry,
  writeBatchHead,
  writeCommand,
} from '@flotilla/wire';
import { SHARD } from './group-facts.ts';
import { STAMP } from './group-machine.ts';

/** What a client of the model writes. */
export type Write =
  | { readonly op: 'append' | 'appendIfAbsent'; readonly key: string; readonly value: string }
  /** Replaces the value; `ttl` in units of the model's time. */
  | { readonly op: 'put' | 'putIfAbsent'; readonly key: string; readonly value: string; readonly ttl: number }
  | { readonly op: 'delete'; readonly key: string }
  /** Both keys at once, under one revision. */
  | { readonly op: 'deleteAll' };

/** A write as one client sends it, every time with the same session, number and floor. */
export interface SentWrite {
  /** Among all writes of the model. */
  readonly number: number;
  readonly client: number;
  /** Place among the writes of its client. */
  readonly place: number;
  readonly write: Write;
  /** `a1`: the first write of client a. */
  readonly name: string;
}

export const KEYS: readonly string[] = ['x', 'y'];

/** Every place in the order of a copy at which a page can begin: the start, and each item that may ever be. */
export function cursorsOf(writes: readonly SentWrite[]): readonly Uint8Array[] {
  const names = KEYS.map((key) => concatBytes(Uint8Array.of(ItemKind.record), utf8Encode(key)));
  const clients = [...new Set(writes.map(({ client }) => client))];
  const rows = clients.map((client) => concatBytes(Uint8Array.of(ItemKind.row), sessionOf(client, STAMP)));
  return [EMPTY_BYTES, ...names, ...rows];
}

export const contentReads: readonly Read[] = KEYS.map((key) => ({
  ...blankRead(),
  kind: ReadKind.get,
  shard: SHARD,
  key: utf8Encode(key),
}));

/** Sent in the order of the clients' programs; a client goes on when it was answered or gives up. */
export function sentWrites(programs: readonly (readonly Write[])[]): readonly SentWrite[] {
  const sent: SentWrite[] = [];
  for (const [client, program] of programs.entries()) {
    for (const [place, write] of program.entries()) {
      const name = `${String.fromCharCode(97 + client)}${place + 1}`;
      sent.push({ number: sent.length, client, place, write, name });
    }
  }
  assert(sent.length <= 8, 'the model holds few writes');
  return sent;
}

export function writeWords({ name, write }: SentWrite): string {
  switch (write.op) {
    case 'append':
      return `${name} (append ${write.value} to ${write.key})`;
    case 'appendIfAbsent':
      return `${name} (append ${write.value} to ${write.key} if absent)`;
    case 'put':
      return `${name} (put ${write.value} in ${write.key} for ${write.ttl})`;
    case 'putIfAbsent':
      return `${name} (put ${write.value} in ${write.key} for ${write.ttl} if absent)`;
    case 'delete':
      return `${name} (delete ${write.key})`;
    case 'deleteAll':
      return `${name} (delete the range of all keys)`;
  }
}

function commandOf(write: Write, epoch: number, unitMs: number): Command {
  const blank = { ...blankCommand(), shard: SHARD, epoch };
  switch (write.op) {
    case 'append':
    case 'appendIfAbsent': {
      const flags = write.op === 'append' ? 0 : Flag.ifAbsent;
      return { ...blank, op: Op.append, flags, key: utf8Encode(write.key), value: utf8Encode(write.value) };
    }
    case 'put':
    case 'putIfAbsent': {
      const flags = Flag.ttl | (write.op === 'put' ? 0 : Flag.ifAbsent);
      const ttl = write.ttl * unitMs;
      return { ...blank, op: Op.put, flags, ttl, key: utf8Encode(write.key), value: utf8Encode(write.value) };
    }
    case 'delete':
      return { ...blank, op: Op.delete, key: utf8Encode(write.key) };
    case 'deleteAll':
      return { ...blank, op: Op.deleteRange, key: utf8Encode('a') };
  }
}

/** Session id of a client, opened at a log time. The last byte names it. */
export function sessionOf(client: number, openedAt: number): Uint8Array {
  const session = new Uint8Array(16);
  let rest = openedAt;
  for (let at = 5; at >= 0; at--) {
    session[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  session[15] = client + 1;
  return session;
}

/**
 * The entry of an attempt, stamped with a log time. A client has one write open at a time, so the floor of a write
 * is its own number.
 */
export function attemptEntry(sent: SentWrite, epoch: number, time: number, unitMs: number): Uint8Array {
  const out = new Writer(128);
  beginEntry(out, EntryBody.clientBatch, 1);
  writeBatchHead(out, { session: sessionOf(sent.client, STAMP), floor: sent.place + 1 });
  writeCommand(out, commandOf(sent.write, epoch, unitMs));
  const entry = out.finish();
  stampEntry(entry, STAMP + time * unitMs);
  return entry;
}
