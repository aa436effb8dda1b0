import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Ports and directories of tests. */

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(server));
  });
}

/** The first of `count` ports in a row that nobody uses. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    // Below the range from which the system takes ports of outgoing connections.
    const first = 12_000 + Math.floor(Math.random() * 18_000);
    const servers: Server[] = [];
    for (let at = 0; at < count; at++) {
      const server = await listen(first + at);
      if (server === undefined) break;
      servers.push(server);
    }
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    if (servers.length === count) return first;
  }
}

/** Takes a port until it is closed. */
export async function occupy(port: number): Promise<Server> {
  const server = await listen(port);
  if (server === undefined) throw new Error(`port ${port} is in use`);
  return server;
}

const directories: string[] = [];

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
  directories.push(directory);
  return directory;
}

export function removeDirectories(): void {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
}
