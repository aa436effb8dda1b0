import { statfs, statfsSync } from 'node:fs';
import type { DiskSpace } from '@flotilla/ports';
import { DataDirectoryError } from './errors.ts';
import { storageTuning } from './limits.ts';

/** Free space under a path, sampled in the background. The timer keeps no process alive. */
export class SampledDiskSpace implements DiskSpace {
  #freeBytes: number;
  #totalBytes: number;
  readonly #timer: NodeJS.Timeout;

  constructor(path: string) {
    const { bavail, blocks, bsize } = statfsSync(path);
    this.#freeBytes = bavail * bsize;
    this.#totalBytes = blocks * bsize;
    this.#timer = setInterval(() => {
      statfs(path, (error, now) => {
        // A sample that fails is skipped; the next commit tells whether the disk is gone.
        if (error !== null) return;
        this.#freeBytes = now.bavail * now.bsize;
        this.#totalBytes = now.blocks * now.bsize;
      });
    }, storageTuning.diskSampleMs).unref();
  }

  freeBytes(): number {
    return this.#freeBytes;
  }

  totalBytes(): number {
    return this.#totalBytes;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/** File systems whose locks or memory maps are not those of one machine, by their magic numbers in Linux. */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x0bd00bd3, 'Lustre'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x47504653, 'GPFS'],
]);

/** Name of the network file system with that magic number; undefined for a local one. */
export function networkFileSystem(magic: number): string | undefined {
  return networkFileSystems.get(magic >>> 0);
}

/** Memory maps and syncs over a network do not keep the promises that LMDB rests on (rule L14). */
export function refuseNetworkFileSystem(directory: string, magic: number = statfsSync(directory).type): void {
  if (process.platform !== 'linux') return;
  const name = networkFileSystem(magic);
  if (name === undefined) return;
  throw new DataDirectoryError(
    'network-file-system',
    `${directory} lies on ${name}, a network file system, on which acknowledged writes can be lost. Put the ` +
      'data directory on a local disk or a block volume',
    { directory, fileSystem: name },
  );
}
