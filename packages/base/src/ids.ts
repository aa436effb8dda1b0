import { isCount } from './assert.ts';
import { UsageError } from './errors.ts';

/** Permanent name of a store: 1 to 64 characters `a-z A-Z 0-9 . _ -`, first one alphanumeric. */
export type StoreId = string;

/** Names one founding of one data group for ever: a gid may be used again, the pair never. */
export interface GroupName {
  readonly gid: number;
  /** Number of the config that founded the group; 0 for the controller group. */
  readonly incarnation: number;
}

export const CONTROLLER_GID = 0;
export const GID_MAX = 0xffff_fffe;

export function groupNameText(group: GroupName): string {
  return `${group.gid}.${group.incarnation}`;
}

export function sameGroup(left: GroupName, right: GroupName): boolean {
  return left.gid === right.gid && left.incarnation === right.incarnation;
}

export function isStoreId(text: string): boolean {
  if (text.length < 1 || text.length > 64) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const isDigit = code >= 48 && code <= 57;
    const isLetter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
    const isSign = code === 45 || code === 46 || code === 95;
    if (!(isDigit || isLetter || (isSign && at > 0))) return false;
  }
  return true;
}

/** The text as a store id, or a {@link UsageError} that says what a store id looks like. */
export function parseStoreId(text: string): StoreId {
  if (isStoreId(text)) return text;
  throw new UsageError(
    `"${text}" is not a store id: use 1 to 64 of the characters a-z A-Z 0-9 . _ - and begin with a letter or digit`,
    { text },
  );
}

/** The text as the id of a data group (1 … 4294967294). */
export function parseGid(text: string): number {
  const gid = Number(text);
  if (/^[0-9]{1,10}$/.test(text) && isCount(gid) && gid >= 1 && gid <= GID_MAX) return gid;
  throw new UsageError(`"${text}" is not a group id: use a whole number from 1 to ${GID_MAX}`, { text });
}
