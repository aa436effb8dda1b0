import { join } from 'node:path';
import { LmdbEnvironment } from '@flotilla/storage';

/**
 * What lies in the files of a store, read past all its code. LMDB lets a second process read along, so this
 * works whether the store runs or not.
 */

const pageBytes = 4096;
const INDEX_AT = 16;

export type EnvironmentName = 'log' | 'state';

export interface Pages {
  /** Pages that hold something now. */
  readonly live: number;
  /** All pages that were ever used: the rest are free, and taken first. */
  readonly used: number;
}

/** Runs a look at one environment of a data directory. */
async function look<T>(
  data: string,
  name: EnvironmentName,
  see: (environment: LmdbEnvironment) => T,
): Promise<T> {
  const environment = new LmdbEnvironment(join(data, name));
  try {
    return see(environment);
  } finally {
    await environment.close();
  }
}

/** Both kinds of keys begin so: gid, then what follows. */
function gidRange(gid: number): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const bytesOf = (value: number): Uint8Array => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value);
    return bytes;
  };
  return { start: bytesOf(gid), end: bytesOf(gid + 1) };
}

export interface GroupOnDisk {
  /** Keys of state, of whatever replica of the group. */
  readonly state: number;
  readonly logRuns: number;
  readonly hardStates: number;
  /** Records that name a replica; the one of a removed replica stays for ever. */
  readonly replicas: number;
}

export async function groupOnDisk(data: string, gid: number): Promise<GroupOnDisk> {
  const count = (environment: LmdbEnvironment, table: string): number =>
    environment.table(table).getKeysCount(gidRange(gid));
  const state = await look(data, 'state', (environment) => count(environment, 'records'));
  return look(data, 'log', (environment) => ({
    state,
    logRuns: count(environment, 'runs'),
    hardStates: count(environment, 'hard'),
    replicas: count(environment, 'replicas'),
  }));
}

/** The first index that the newest log of a group begins with on the disk; 0 without a log. */
export function firstLogIndex(data: string, gid: number): Promise<number> {
  return look(data, 'log', (environment) => {
    const keys = [...environment.table('runs').getKeys(gidRange(gid))].map((key) =>
      Buffer.from(key as unknown as Uint8Array),
    );
    // Keys are group, epoch of the log and index, in order.
    const log = keys.at(-1)?.subarray(0, INDEX_AT);
    const first = keys.find((key) => log !== undefined && key.subarray(0, INDEX_AT).equals(log));
    return first === undefined ? 0 : Number(first.readBigUInt64BE(INDEX_AT));
  });
}

/** How many keys of a group's state contain a text, for each of the texts. */
export function keysWith(data: string, gid: number, texts: readonly string[]): Promise<number[]> {
  return look(data, 'state', (environment) => {
    const counts = texts.map(() => 0);
    for (const key of environment.table('records').getKeys(gidRange(gid))) {
      const text = Buffer.from(key as unknown as Uint8Array).toString('latin1');
      texts.forEach((part, at) => {
        if (text.includes(part)) counts[at] = (counts[at] ?? 0) + 1;
      });
    }
    return counts;
  });
}

interface TableStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

export function statePages(data: string): Promise<Pages> {
  return look(data, 'state', (environment) => {
    const stats = environment.table('records').getStats() as TableStats;
    const live = stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
    return { live, used: environment.usedBytes() / pageBytes };
  });
}
