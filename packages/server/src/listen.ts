import type { Listener, Network, Socket, SocketHandler, SocketPath } from '@flotilla/ports';

/** The port of {@link Network} as a promise. */
export function openListener(
  network: Network,
  address: string,
  accept: (socket: Socket, path: SocketPath) => SocketHandler | undefined,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    network.listen(address, accept, (result) => {
      if ('listener' in result) resolve(result.listener);
      else reject(result.failure);
    });
  });
}
