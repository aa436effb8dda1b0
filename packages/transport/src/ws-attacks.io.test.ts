import { connect, type Socket as NetSocket } from 'node:net';
import type { Socket } from '@flotilla/ports';
import { FRAME_HEADER_BYTES, limits } from '@flotilla/wire';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { TestNetwork, until } from '../contract/real-lab.ts';
import { WsNetwork } from './ws-network.ts';

/** A raw connection that writes down what comes back. */
class Raw {
  readonly socket: NetSocket;
  text = '';
  ended = false;

  constructor(port: number, opening = '') {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1');
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.ended = true;
    });
    this.socket.write(opening);
  }

  get status(): string {
    return this.text.split(' ')[1] ?? '';
  }
}

const KEY = 'c2l4dGVlbiBieXRlcyEhIQ==';

function upgrade(headers: readonly string[], path = '/peer'): string {
  const lines = [`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket'];
  lines.push('Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${KEY}`, ...headers);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const PROTOCOL = 'Sec-WebSocket-Protocol: flotilla.v1';

/** A client frame, masked with zeros. */
function wsFrame(opcode: number, payload: Uint8Array, fin = true): Buffer {
  const head = Buffer.alloc(14);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}

describe('sockets and their attackers', () => {
  let network: TestNetwork;
  let port: number;
  let accepted: { readonly socket: Socket; readonly heard: (Uint8Array | string)[] }[];

  beforeEach(async () => {
    accepted = [];
    network = new TestNetwork({
      onHttpRequest: (request, response) => response.end(`you asked for ${request.url}`),
      tuning: {
        headersTimeoutMs: 150,
        requestTimeoutMs: 200,
        checkIntervalMs: 50,
        closeTimeoutMs: 100,
        strangersMax: 20,
        connectionsPerAddressMax: 30,
      },
    });
    port = 0;
    network.listen(
      '127.0.0.1:0',
      (socket) => {
        const heard: (Uint8Array | string)[] = [];
        accepted.push({ socket, heard });
        return {
          onOpen: () => {},
          onMessage: (bytes) => heard.push(bytes),
          onClose: (reason) => heard.push(reason),
        };
      },
      (result) => {
        if ('failure' in result) throw result.failure;
        port = Number(result.listener.address.split(':')[1]);
      },
    );
    await until(() => port !== 0);
  });
  afterEach(() => network.closeAll());

  /** A WebSocket of the library, and the code that it is closed with. */
  async function client(path = '/peer', options: ClientOptions = {}, protocol = 'flotilla.v1') {
    const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocol, {
      perMessageDeflate: false,
      ...options,
    });
    const state = { ws, open: false, code: 0, error: '' };
    ws.on('open', () => {
      state.open = true;
    });
    ws.on('error', (error) => {
      state.error = error.message;
    });
    ws.on('close', (code) => {
      state.code = code;
    });
    await until(() => state.open || state.code !== 0);
    return state;
  }

  test('HTTP shares the port, and the socket paths tell browsers what they are', async () => {
    const page = await fetch(`http://127.0.0.1:${port}/livez`);
    expect(await page.text()).toBe('you asked for /livez');
    expect((await fetch(`http://127.0.0.1:${port}/peer`)).status).toBe(426);
    const bare = new TestNetwork();
    let address = '';
    bare.listen(
      '127.0.0.1:0',
      () => undefined,
      (result) => {
        if ('listener' in result) address = result.listener.address;
      },
    );
    await until(() => address !== '');
    expect((await fetch(`http://${address}/`)).status).toBe(404);
    await bare.closeAll();
  });

  const refusals: readonly (readonly [string, string, string])[] = [
    ['without the subprotocol', upgrade([]), '400'],
    ['with another subprotocol', upgrade(['Sec-WebSocket-Protocol: chat, flotilla.v2']), '400'],
    ['with an Origin header, as browsers send it', upgrade([PROTOCOL, 'Origin: http://evil.example']), '403'],
    ['with the old Origin header', upgrade([PROTOCOL, 'Sec-WebSocket-Origin: http://evil.example']), '403'],
    ['on another path', upgrade([PROTOCOL], '/elsewhere'), '404'],
    ['on a path that only begins right', upgrade([PROTOCOL], '/peer/x'), '404'],
    ['that is not HTTP', 'hello there\r\n\r\n', '400'],
    ['with headers of more than 8 KiB', upgrade([PROTOCOL, `X: ${'y'.repeat(9000)}`]), '431'],
  ];
  for (const [what, opening, status] of refusals) {
    test(`an upgrade ${what} is refused with ${status}`, async () => {
      const raw = new Raw(port, opening);
      await until(() => raw.ended);
      expect(raw.status).toBe(status);
      expect(accepted).toHaveLength(0);
    });
  }

  test('the subprotocol may stand among others', async () => {
    const raw = new Raw(port, upgrade(['Sec-WebSocket-Protocol: chat, flotilla.v1']));
    await until(() => raw.text.includes('\r\n\r\n'));
    expect(raw.text).toContain('Sec-WebSocket-Protocol: flotilla.v1');
    raw.socket.destroy();
  });

  test('compression is never agreed on, so that no small message can grow (X3)', async () => {
    const raw = new Raw(port, upgrade([PROTOCOL, 'Sec-WebSocket-Extensions: permessage-deflate']));
    await until(() => raw.text.includes('\r\n\r\n'));
    expect(raw.text).not.toContain('Extensions');
    raw.socket.destroy();
  });

  test('an upgrade that dribbles in is cut off in time, and so is a connection that says nothing (X4)', async () => {
    const dribbling = new Raw(port, 'GET /peer HTTP/1.1\r\nHost: x\r\n');
    const dribble = setInterval(() => dribbling.socket.write('X: y\r\n'), 20);
    const mute = new Raw(port);
    await until(() => dribbling.ended && mute.ended);
    clearInterval(dribble);
    expect(dribbling.status).toBe('408');
    expect(accepted).toHaveLength(0);
  });

  test('idle connections are capped, and places become free again (X5)', async () => {
    const many = Array.from({ length: 40 }, () => new Raw(port));
    await until(() => many.filter((raw) => raw.ended).length >= 20);
    expect(many.filter((raw) => raw.ended).length).toBeLessThan(40);
    await until(() => many.every((raw) => raw.ended));
    const good = await client();
    expect(good.open).toBe(true);
    good.ws.terminate();
  });

  test('one address cannot take every place', async () => {
    const clients = [];
    for (let number = 0; number < 31; number++) clients.push(await client());
    expect(clients.filter((state) => state.open)).toHaveLength(30);
    for (const state of clients) state.ws.terminate();
    await until(() => accepted.every(({ heard }) => heard.length > 0));
    const late = await client();
    expect(late.open).toBe(true);
    late.ws.terminate();
  });

  test('text is closed with 1003 and never handed up', async () => {
    const state = await client();
    state.ws.send('text');
    state.ws.send(Uint8Array.of(1));
    await until(() => state.code !== 0);
    expect(state.code).toBe(1003);
    await until(() => accepted[0]?.heard.length === 1);
    expect(accepted[0]?.heard).toEqual(['only binary messages are spoken here']);
  });

  test('a message of the limit passes and one byte more is closed with 1009, by path (X1)', async () => {
    for (const [path, bytes] of [
      ['/peer', limits.peerFrameBytes],
      ['/client', limits.clientFrameBytes],
    ] as const) {
      const state = await client(path);
      const at = accepted.length - 1;
      state.ws.send(new Uint8Array(bytes + FRAME_HEADER_BYTES));
      await until(() => accepted[at]?.heard.length === 1);
      state.ws.send(new Uint8Array(bytes + FRAME_HEADER_BYTES + 1));
      await until(() => state.code !== 0);
      expect(state.code).toBe(1009);
    }
  });

  test('a declared length beyond the limit is refused before its bytes arrive', async () => {
    const raw = new Raw(port, upgrade([PROTOCOL]));
    await until(() => accepted.length === 1);
    raw.socket.write(wsFrame(2, new Uint8Array(0)).fill(0xff, 3, 9));
    await until(() => raw.ended && accepted[0]?.heard.length === 1);
    expect(typeof accepted[0]?.heard[0]).toBe('string');
  });

  test('a message in endless small pieces is closed at 32 of them (X2)', async () => {
    const raw = new Raw(port, upgrade([PROTOCOL]));
    await until(() => accepted.length === 1);
    for (let piece = 0; piece < 40; piece++)
      raw.socket.write(wsFrame(piece === 0 ? 2 : 0, Uint8Array.of(1), false));
    await until(() => raw.ended && accepted[0]?.heard.length === 1);
    expect(typeof accepted[0]?.heard[0]).toBe('string');
  });

  test('garbage after the upgrade closes that socket and leaves the others', async () => {
    const good = await client();
    for (let byte = 0; byte < 256; byte += 5) {
      const raw = new Raw(port, upgrade([PROTOCOL]));
      await until(() => raw.text.includes('\r\n\r\n'));
      raw.socket.write(new Uint8Array(64).fill(byte));
      raw.socket.end();
      await until(() => raw.ended);
    }
    good.ws.send(Uint8Array.of(42));
    await until(() => (accepted[0]?.heard.length ?? 0) > 0);
    expect(accepted[0]?.heard).toEqual([Uint8Array.of(42)]);
    good.ws.terminate();
  });

  test('a connection that breaks in the middle of a message hands nothing up (N10)', async () => {
    const raw = new Raw(port, upgrade([PROTOCOL]));
    await until(() => accepted.length === 1);
    raw.socket.write(wsFrame(2, new Uint8Array(5000)).subarray(0, 1000));
    raw.socket.resetAndDestroy();
    await until(() => accepted[0]?.heard.length === 1);
    expect(typeof accepted[0]?.heard[0]).toBe('string');
  });

  test('a reader that takes nothing is closed when 16 MiB wait for it (O3)', async () => {
    const raw = new Raw(port, upgrade([PROTOCOL]));
    await until(() => accepted.length === 1);
    raw.socket.pause();
    const { socket, heard } = accepted[0] as (typeof accepted)[number];
    let sent = 0;
    // The kernel takes some megabytes of its own before anything waits.
    while (heard.length === 0 && sent < 200) {
      socket.send(new Uint8Array(1024 * 1024));
      sent++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(heard[0]).toMatch(/reads too slowly/);
    expect(sent).toBeGreaterThan(15);
    raw.socket.destroy();
  });

  test('a server that accepts and never answers the upgrade is given up in time', async () => {
    const { createServer } = await import('node:net');
    const streams: NetSocket[] = [];
    const server = createServer((stream) => {
      streams.push(stream);
      // A byte now and then must not keep the dial alive.
      const dribble = setInterval(() => stream.write('H'), 20);
      stream.on('close', () => clearInterval(dribble));
      stream.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port: mute } = server.address() as { port: number };
    const heard: string[] = [];
    new WsNetwork({ tuning: { handshakeTimeoutMs: 200 } }).dial(`127.0.0.1:${mute}`, '/peer', {
      onOpen: () => heard.push('open'),
      onMessage: () => heard.push('message'),
      onClose: () => heard.push('close'),
    });
    await until(() => heard.length > 0);
    expect(heard).toEqual(['close']);
    for (const stream of streams) stream.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test('a port in use says what to do, with a code', async () => {
    const failures: (Error & { readonly code?: string })[] = [];
    network.listen(
      `127.0.0.1:${port}`,
      () => undefined,
      (result) => {
        if ('failure' in result) failures.push(result.failure);
      },
    );
    await until(() => failures.length === 1);
    expect(failures[0]?.code).toBe('FLOTILLA_LISTEN');
    expect(failures[0]?.message).toBe(
      `cannot listen on 127.0.0.1:${port}: another process uses the port: stop it, or choose another port with --listen`,
    );
    network.listen(
      'no port here',
      () => undefined,
      (result) => {
        if ('failure' in result) failures.push(result.failure);
      },
    );
    await until(() => failures.length === 2);
    expect(failures[1]?.message).toMatch(/write host:port/);
  });

  test('everything sent in one turn leaves in few pieces', async () => {
    const raw = new Raw(port, upgrade([PROTOCOL]));
    await until(() => accepted.length === 1 && raw.text.includes('\r\n\r\n'));
    raw.text = '';
    let pieces = 0;
    raw.socket.on('data', () => pieces++);
    for (let count = 0; count < 200; count++) accepted[0]?.socket.send(Uint8Array.of(count));
    await until(() => raw.text.length === 200 * 3);
    expect(pieces).toBeLessThan(5);
    raw.socket.destroy();
  });
});
