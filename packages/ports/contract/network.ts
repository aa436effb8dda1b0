import type { Listener, Network, Socket, SocketHandler, SocketPath } from '@flotilla/ports';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** A world in which the suite can make networks and let things happen. */
export interface NetworkLab {
  /** The network of one process, named for messages only. */
  network(node: string): Network;
  /** `listen` takes it any number of times and chooses a free port. */
  readonly anyAddress: string;
  /** Nobody listens there. */
  readonly deadAddress: string;
  /** Lets the world go on until the condition holds; fails if it never does. */
  until(condition: () => boolean): Promise<void>;
  /** Lets everything that is under way settle. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Writes down everything that a handler hears, in order. */
class Recorder implements SocketHandler {
  readonly heard: string[] = [];
  readonly messages: Uint8Array[] = [];
  socket: Socket | undefined;
  path: SocketPath | undefined;
  closed: string | undefined;

  onOpen(): void {
    this.heard.push('open');
  }

  onMessage(bytes: Uint8Array): void {
    this.heard.push(`message ${bytes.length}`);
    this.messages.push(bytes);
  }

  onClose(reason: string): void {
    this.heard.push('close');
    this.closed = reason;
  }
}

export function networkContract(name: string, makeLab: () => NetworkLab | Promise<NetworkLab>): void {
  describe(`${name} keeps the contract of a network`, () => {
    let lab: NetworkLab;
    beforeEach(async () => {
      lab = await makeLab();
    });
    afterEach(() => lab.close());

    async function listen(
      accept: (socket: Socket, path: SocketPath) => SocketHandler | undefined,
      address = lab.anyAddress,
    ): Promise<Listener> {
      let result: { listener?: Listener; failure?: Error } | undefined;
      lab.network('server').listen(address, accept, (outcome) => {
        result = outcome;
      });
      await lab.until(() => result !== undefined);
      if (result?.listener === undefined) throw result?.failure ?? new Error('no listener');
      return result.listener;
    }

    /** A listener, a dialled socket and the accepted one, both open. */
    async function pair(path: SocketPath = '/peer') {
      const server = new Recorder();
      const listener = await listen((socket, path) => {
        server.socket = socket;
        server.path = path;
        return server;
      });
      const client = new Recorder();
      const socket = lab.network('client').dial(listener.address, path, client);
      client.socket = socket;
      await lab.until(() => client.heard.length > 0 && server.heard.length > 0);
      return { listener, client, server, there: socket, back: server.socket as Socket };
    }

    test('both ends hear that they are open, once, and on which path', async () => {
      for (const path of ['/peer', '/client'] as const) {
        const { client, server } = await pair(path);
        expect(server.path).toBe(path);
        await lab.settle();
        expect([client.heard, server.heard]).toEqual([['open'], ['open']]);
      }
    });

    test('messages arrive whole and in order, in both directions', async () => {
      const { client, server, there, back } = await pair();
      for (let count = 0; count < 300; count++) {
        there.send(Uint8Array.of(count & 255, count >> 8));
        back.send(Uint8Array.of(count >> 8, count & 255));
      }
      await lab.until(() => server.messages.length === 300 && client.messages.length === 300);
      expect(server.messages.map((bytes) => (bytes[0] as number) + 256 * (bytes[1] as number))).toEqual(
        Array.from({ length: 300 }, (_, count) => count),
      );
      expect(client.messages.map((bytes) => (bytes[1] as number) + 256 * (bytes[0] as number))).toEqual(
        Array.from({ length: 300 }, (_, count) => count),
      );
    });

    test('a message of several megabytes and an empty one arrive as they were', async () => {
      const { server, client, there, back } = await pair();
      const large = new Uint8Array(3_000_000);
      for (let at = 0; at < large.length; at++) large[at] = (at * 31) & 255;
      there.send(large);
      there.send(new Uint8Array(0));
      back.send(large);
      await lab.until(() => server.messages.length === 2 && client.messages.length === 1);
      expect(Buffer.compare(server.messages[0] as Uint8Array, large)).toBe(0);
      expect(server.messages[1]?.length).toBe(0);
      expect(Buffer.compare(client.messages[0] as Uint8Array, large)).toBe(0);
    });

    test('the receiver owns plain bytes that share no memory with the sender', async () => {
      const { server, there } = await pair();
      const sent = Uint8Array.of(1, 2, 3);
      there.send(sent);
      await lab.until(() => server.messages.length === 1);
      const received = server.messages[0] as Uint8Array;
      expect(Object.getPrototypeOf(received)).toBe(Uint8Array.prototype);
      received[0] = 9;
      expect([...sent]).toEqual([1, 2, 3]);
      sent[1] = 9;
      expect([...received]).toEqual([9, 2, 3]);
    });

    test('whoever accepts may send at once', async () => {
      const client = new Recorder();
      const listener = await listen((socket) => {
        socket.send(Uint8Array.of(7));
        return new Recorder();
      });
      lab.network('client').dial(listener.address, '/peer', client);
      await lab.until(() => client.messages.length === 1);
      expect(client.heard).toEqual(['open', 'message 1']);
    });

    test('a refused socket closes at the dialler', async () => {
      const client = new Recorder();
      const listener = await listen(() => undefined);
      lab.network('client').dial(listener.address, '/peer', client);
      await lab.until(() => client.closed !== undefined);
      await lab.settle();
      expect(client.heard.filter((event) => event === 'close')).toHaveLength(1);
      expect(client.messages).toHaveLength(0);
    });

    test('dialling where nobody listens ends in one close with a reason', async () => {
      for (const address of [lab.deadAddress, 'not an address']) {
        const client = new Recorder();
        lab.network('client').dial(address, '/peer', client);
        expect(client.heard).toEqual([]); // Never before `dial` has returned.
        await lab.until(() => client.closed !== undefined);
        await lab.settle();
        expect(client.heard).toEqual(['close']);
        expect(client.closed).not.toBe('');
      }
    });

    test('what was sent before a close arrives before it', async () => {
      const { server, there } = await pair();
      for (let count = 0; count < 20; count++) there.send(new Uint8Array(10_000));
      there.close('that was all');
      await lab.until(() => server.closed !== undefined);
      expect(server.heard).toEqual(['open', ...Array(20).fill('message 10000'), 'close']);
      expect(server.closed).toBe('that was all');
    });

    test('a close is heard once at both ends, never inside the call, and nothing follows', async () => {
      const { client, server, there, back } = await pair();
      there.close('enough');
      expect(client.closed).toBeUndefined();
      there.close('again');
      there.send(Uint8Array.of(1));
      back.send(Uint8Array.of(2));
      await lab.until(() => client.closed !== undefined && server.closed !== undefined);
      back.send(Uint8Array.of(3));
      back.close('late');
      back.terminate();
      there.terminate();
      await lab.settle();
      expect(client.heard).toEqual(['open', 'close']);
      expect(server.heard).toEqual(['open', 'close']);
    });

    test('terminate ends both sides', async () => {
      const { client, server, back } = await pair();
      back.terminate();
      expect(server.closed).toBeUndefined();
      await lab.until(() => client.closed !== undefined && server.closed !== undefined);
      await lab.settle();
      expect(client.heard).toEqual(['open', 'close']);
      expect(server.heard).toEqual(['open', 'close']);
    });

    test('a dial that is given up closes without ever opening', async () => {
      const listener = await listen(() => new Recorder());
      const client = new Recorder();
      lab.network('client').dial(listener.address, '/peer', client).close('changed my mind');
      await lab.until(() => client.closed !== undefined);
      await lab.settle();
      expect(client.heard).toEqual(['close']);
    });

    test('a long reason is cut, not refused', async () => {
      const { server, there } = await pair();
      there.close('ä'.repeat(400));
      await lab.until(() => server.closed !== undefined);
      expect(server.closed?.startsWith('ää')).toBe(true);
    });

    test('closing a listener closes what it accepted, calls back, and frees the address', async () => {
      const { listener, client, server } = await pair();
      let closed = false;
      listener.close(() => {
        closed = true;
      });
      await lab.until(() => closed && client.closed !== undefined && server.closed !== undefined);
      const late = new Recorder();
      lab.network('client').dial(listener.address, '/peer', late);
      await lab.until(() => late.closed !== undefined);
      expect(late.heard).toEqual(['close']);
      const again = await listen(() => new Recorder(), listener.address);
      expect(again.address).toBe(listener.address);
    });

    test('an address that is taken gives an error that names it', async () => {
      const { listener } = await pair();
      await expect(listen(() => undefined, listener.address)).rejects.toThrow(listener.address);
    });

    test('bytes handed over fall back to none when everything was taken', async () => {
      const { there, server } = await pair();
      for (let count = 0; count < 50; count++) there.send(new Uint8Array(100_000));
      await lab.until(() => server.messages.length === 50);
      await lab.until(() => there.bufferedBytes === 0);
    });
  });
}
