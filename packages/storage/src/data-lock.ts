import { closeSync, openSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DataDirectoryError } from './errors.ts';

/**
 * One process per data directory (rule L14). LMDB would let a second one in, and each would then work from
 * memory that the other makes wrong. A lock must vanish with its process even after kill -9, so it is a
 * listening socket, which the kernel closes, never a file that says so:
 *
 * - on Linux a socket in the abstract name space, named by the directory's device and inode. Taking it is
 *   atomic and it is never stale, but other containers on the machine have a name space of their own;
 * - a socket in the directory itself, which all processes of the machine share. It may be left over from a
 *   dead process: then nobody answers, and it is replaced.
 *
 * The file `lock.json` only tells people who holds the lock; nothing trusts it.
 */
export class DataLock {
  readonly #servers: Server[];
  readonly #folder: number;

  private constructor(servers: Server[], folder: number) {
    this.#servers = servers;
    this.#folder = folder;
  }

  static async take(directory: string): Promise<DataLock> {
    const servers: Server[] = [];
    // A socket path has room for some 100 bytes; through the open directory it is always short.
    const folder = openSync(directory, 'r');
    const lock = new DataLock(servers, folder);
    try {
      if (process.platform === 'linux') {
        const { dev, ino } = statSync(directory, { bigint: true });
        const server = await listen(`\0flotilla-data-${dev}-${ino}`);
        if (server === undefined) throw inUse(directory);
        servers.push(server);
      }
      const socket =
        process.platform === 'linux' ? `/proc/self/fd/${folder}/lock.sock` : join(directory, 'lock.sock');
      let server = await listen(socket);
      if (server === undefined) {
        if (await answers(socket)) throw inUse(directory);
        unlinkSync(socket);
        server = await listen(socket);
        if (server === undefined) throw inUse(directory);
      }
      servers.push(server);
      const holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
      writeFileSync(holderPath(directory), `${JSON.stringify(holder)}\n`, { mode: 0o600 });
      return lock;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async release(): Promise<void> {
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
    closeSync(this.#folder);
  }
}

/** A server that answers nothing: that it can be reached is the message. Undefined if the name is taken. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
}

function holderPath(directory: string): string {
  return join(directory, 'lock.json');
}

function inUse(directory: string): DataDirectoryError {
  let holder = 'another process';
  try {
    const { pid, host } = JSON.parse(readFileSync(holderPath(directory), 'utf8')) as {
      readonly pid: number;
      readonly host: string;
    };
    holder = host === hostname() ? `pid ${pid}` : `pid ${pid} on ${host}`;
  } catch {
    // It has not written its name yet.
  }
  return new DataDirectoryError(
    'in-use',
    `${directory} is already in use by ${holder}. Two processes on one data directory would destroy it: stop ` +
      'that one first, or give this store a directory of its own',
    { directory, holder },
  );
}
