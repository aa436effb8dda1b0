import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isStoreId, type StoreId, Xxh64 } from '@flotilla/base';
import { DataDirectoryError } from './errors.ts';

/** Raised when a store could not read what an older one wrote. */
export const STORAGE_FORMAT_VERSION = 1;

export interface StoreIdentity {
  readonly clusterId: string;
  readonly storeId: StoreId;
  /** Made anew for every blank data directory. */
  readonly incarnation: string;
  readonly formatVersion: number;
}

/**
 * The identity file. It is written twice: as `establishing` before the sentinels are put into the two LMDB
 * environments, as `established` afterwards. Only the second one claims that data must be there.
 */
export interface IdentityFile {
  readonly identity: StoreIdentity;
  readonly state: 'establishing' | 'established';
}

const FILE_NAME = 'identity.json';

export function randomIncarnation(): string {
  return randomBytes(10).toString('hex');
}

/** The identity as text with a checksum; also the value of the sentinels. */
export function encodeIdentity(file: IdentityFile): string {
  const { clusterId, storeId, incarnation, formatVersion } = file.identity;
  const content = { clusterId, storeId, incarnation, formatVersion, state: file.state };
  return `${JSON.stringify({ ...content, checksum: checksum(content) }, undefined, 2)}\n`;
}

/** What is wrong with the text, or the identity in it. */
export function decodeIdentity(text: string): IdentityFile | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  if (typeof value !== 'object' || value === null) return 'it is not a JSON object';
  const { checksum: stored, ...content } = value as Record<string, unknown>;
  if (stored !== checksum(content)) return 'its checksum does not fit its content';
  const { clusterId, storeId, incarnation, formatVersion, state } = content;
  const sound =
    typeof clusterId === 'string' &&
    typeof storeId === 'string' &&
    isStoreId(storeId) &&
    typeof incarnation === 'string' &&
    typeof formatVersion === 'number' &&
    (state === 'establishing' || state === 'established');
  if (!sound) return 'a field is missing or has another type';
  return { identity: { clusterId, storeId, incarnation, formatVersion }, state };
}

/** The identity of the directory; undefined if it has none. */
export async function readIdentity(directory: string): Promise<IdentityFile | undefined> {
  const path = join(directory, FILE_NAME);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DataDirectoryError(
      'unreadable',
      `${path} cannot be read: ${String(cause)}`,
      { path },
      { cause },
    );
  }
  const file = decodeIdentity(text);
  if (typeof file === 'string') {
    throw new DataDirectoryError(
      'identity-damaged',
      `${path} says which store this directory belongs to, but ${file}. The disk or somebody changed it, so ` +
        'the rest of the directory is not trusted either. Restore the file from a copy of the volume, or move ' +
        'the directory away: the store then comes back blank and its replicas are rebuilt from the others',
      { path, why: file },
    );
  }
  if (file.identity.formatVersion > STORAGE_FORMAT_VERSION) {
    throw new DataDirectoryError(
      'newer-format',
      `${directory} was written in storage format ${file.identity.formatVersion}; this version of Flotilla ` +
        `reads formats up to ${STORAGE_FORMAT_VERSION}. Start the newer version again`,
      { path, formatVersion: file.identity.formatVersion },
    );
  }
  return file;
}

/** Replaces the file so that a crash at any moment leaves the old or the new one, whole. */
export async function writeIdentity(directory: string, file: IdentityFile): Promise<void> {
  const path = join(directory, FILE_NAME);
  const temporary = `${path}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(encodeIdentity(file));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  const folder = await open(directory, 'r');
  try {
    // The new name is durable only once the directory is.
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function checksum(content: Readonly<Record<string, unknown>>): string {
  const sorted = Object.entries(content).sort(([left], [right]) => (left < right ? -1 : 1));
  const hasher = new Xxh64();
  hasher.hash(new TextEncoder().encode(JSON.stringify(sorted)));
  return hasher.high.toString(16).padStart(8, '0') + hasher.low.toString(16).padStart(8, '0');
}
