import type { Listener } from '@flotilla/ports';
import type { NetworkLab } from '@flotilla/ports/contract';
import { WsNetwork, type WsNetworkOptions } from '@flotilla/transport';

const DEADLINE_MS = 20_000;

/** Lets the event loop turn until the condition holds. */
export async function until(condition: () => boolean, what = 'what a test waits for'): Promise<void> {
  const begin = performance.now();
  while (!condition()) {
    if (performance.now() - begin > DEADLINE_MS)
      throw new Error(`${what} did not happen in ${DEADLINE_MS} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A network that closes all its listeners at the end of a test. */
export class TestNetwork extends WsNetwork {
  readonly #listeners: Listener[] = [];

  override listen(...[address, accept, done]: Parameters<WsNetwork['listen']>): void {
    super.listen(address, accept, (result) => {
      if ('listener' in result) this.#listeners.push(result.listener);
      done(result);
    });
  }

  async closeAll(): Promise<void> {
    await Promise.all(
      this.#listeners.map((listener) => new Promise<void>((resolve) => listener.close(resolve))),
    );
  }
}

export function realLab(options?: WsNetworkOptions): NetworkLab {
  const network = new TestNetwork({ ...options, tuning: { closeTimeoutMs: 200, ...options?.tuning } });
  return {
    network: () => network,
    anyAddress: '127.0.0.1:0',
    // Port 1 needs rights that nobody uses; connecting to it is refused.
    deadAddress: '127.0.0.1:1',
    until,
    // Enough turns for everything that is on its way inside this process.
    settle: async () => {
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    close: () => network.closeAll(),
  };
}
