import { createServer } from 'node:net';
import { CommandFailure } from '../failure.ts';

/** A port that is taken would only show as a store that does not come up; so it is tried before. */
export async function checkPortsFree(addresses: readonly string[]): Promise<void> {
  const results = await Promise.all(
    addresses.map(async (address) => ({ address, code: await tryPort(address) })),
  );
  const taken = results.filter(({ code }) => code !== undefined);
  if (taken.length === 0) return;
  const list = taken.map(({ address }) => address).join(', ');
  const why = taken.some(({ code }) => code === 'EADDRINUSE')
    ? 'something listens there already, perhaps another flotilla dev'
    : `the system says ${taken[0]?.code}`;
  throw new CommandFailure(`cannot listen on ${list}: ${why}. Stop it, or choose other ports with --port.`);
}

function tryPort(address: string): Promise<string | undefined> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port: Number(port), exclusive: true }, () =>
      server.close(() => resolve(undefined)),
    );
  });
}
