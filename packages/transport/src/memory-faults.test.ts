import { VirtualTime } from '@flotilla/base';
import type { Socket, SocketHandler } from '@flotilla/ports';
import { describe, expect, test } from 'vitest';
import { type MemoryNetwork, MemoryNetworkHub } from './memory-network.ts';

/** Two nodes with one open connection from `left` to `right`. */
class Pair {
  readonly time = new VirtualTime();
  readonly hub: MemoryNetworkHub;
  readonly left: MemoryNetwork;
  readonly right: MemoryNetwork;
  readonly heard: string[] = [];
  readonly dialled: Socket;
  accepted: Socket | undefined;

  constructor() {
    this.hub = new MemoryNetworkHub({
      timers: this.time,
      policy: { route: () => 1 },
      systemBufferBytes: 100,
    });
    this.left = this.hub.network('left');
    this.right = this.hub.network('right');
    this.right.listen(
      'right:1',
      (socket) => {
        this.accepted = socket;
        return this.recorder('right');
      },
      () => {},
    );
    this.dialled = this.left.dial('right:1', '/peer', this.recorder('left'));
    this.time.advance(10);
    expect(this.take()).toEqual(['right open', 'left open']);
  }

  recorder(name: string): SocketHandler {
    return {
      onOpen: () => this.heard.push(`${name} open`),
      onMessage: (bytes) => this.heard.push(`${name} ${bytes.join(' ')}`),
      onClose: (reason) => this.heard.push(`${name} close: ${reason}`),
    };
  }

  take(): string[] {
    return this.heard.splice(0);
  }

  /** Lets time pass and says what was heard meanwhile. */
  after(ms: number): string[] {
    this.time.advance(ms);
    return this.take();
  }
}

describe('faults of the memory network', () => {
  test('later messages with shorter delays never overtake earlier ones', () => {
    const pair = new Pair();
    const delays = [50, 10, 30];
    pair.hub.policy = { route: () => delays.shift() ?? 0 };
    for (const value of [1, 2, 3]) pair.dialled.send(Uint8Array.of(value));
    expect(pair.after(49)).toEqual([]);
    expect(pair.after(1)).toEqual(['right 1', 'right 2', 'right 3']);
  });

  test('a stalled direction keeps its bytes until release, while the other goes on', () => {
    const pair = new Pair();
    pair.hub.policy = { route: (from) => (from === 'left' ? Number.POSITIVE_INFINITY : 1) };
    pair.dialled.send(new Uint8Array(80));
    expect(pair.dialled.bufferedBytes).toBe(0); // Within what the operating system takes.
    pair.dialled.send(new Uint8Array(80));
    expect(pair.dialled.bufferedBytes).toBe(60);
    pair.accepted?.send(Uint8Array.of(7));
    expect(pair.after(60_000)).toEqual(['left 7']);
    pair.hub.policy = { route: () => 1 };
    pair.hub.release();
    expect(pair.after(1)).toHaveLength(2);
    expect(pair.dialled.bufferedBytes).toBe(0);
  });

  test('a policy without a way breaks the connection at both ends', () => {
    const pair = new Pair();
    pair.hub.policy = { route: () => undefined };
    pair.dialled.send(Uint8Array.of(1));
    expect(pair.after(10)).toEqual([
      'left close: the connection was reset',
      'right close: the connection was reset',
    ]);
    expect(pair.hub.connections).toBe(0);
  });

  test('an end that is not told of a break is half-open until it sends', () => {
    const pair = new Pair();
    expect(pair.hub.breakLinks('left', 'right', ['right'])).toBe(1);
    expect(pair.after(60_000)).toEqual(['right close: the connection was reset']);
    expect(pair.hub.connections).toBe(1);
    pair.dialled.send(Uint8Array.of(1));
    expect(pair.after(10)).toEqual(['left close: the connection was reset']);
    expect(pair.hub.connections).toBe(0);
  });

  test('a process that ends delivers what it had sent, and hears nothing any more', () => {
    const pair = new Pair();
    pair.accepted?.send(Uint8Array.of(1));
    pair.dialled.send(Uint8Array.of(2));
    pair.right.stop();
    expect(pair.after(10)).toEqual(['left 1', 'left close: the other end went away']);
    expect(pair.hub.connections).toBe(0);
    pair.left.dial('right:1', '/peer', pair.recorder('again'));
    expect(pair.after(10_000)).toEqual(['again close: no answer in time']);
  });

  test('a machine without power says nothing, until a new process on it answers with a reset', () => {
    const pair = new Pair();
    pair.right.stop({ silently: true });
    pair.dialled.send(new Uint8Array(500));
    expect(pair.after(60_000)).toEqual([]);
    expect(pair.dialled.bufferedBytes).toBe(400);
    pair.hub.network('right');
    pair.dialled.send(Uint8Array.of(1));
    expect(pair.after(10)).toEqual(['left close: the connection was reset']);
  });

  test('a dial that the network swallows fails in time, and late answers are ignored', () => {
    const pair = new Pair();
    pair.hub.policy = { route: (_, to) => (to === 'right' ? Number.POSITIVE_INFINITY : 1) };
    pair.left.dial('right:1', '/peer', pair.recorder('second'));
    expect(pair.after(5000)).toEqual(['second close: no answer in time']);
    pair.hub.policy = { route: () => 1 };
    pair.hub.release();
    expect(pair.after(10)).toEqual([]);
  });

  test('a dial whose end is never told still fails in time', () => {
    const pair = new Pair();
    pair.hub.policy = { route: (from) => (from === 'right' ? Number.POSITIVE_INFINITY : 1) };
    pair.left.dial('right:1', '/peer', pair.recorder('second'));
    expect(pair.after(2)).toEqual(['right open']);
    pair.accepted?.close('no'); // Its answer and its close are both on the way, and lost with the break.
    pair.hub.breakLinks('left', 'right', []);
    expect(pair.after(6000)).toEqual(['right close: no', 'second close: no answer in time']);
  });

  test('damage reaches the copy of the receiver only', () => {
    const pair = new Pair();
    pair.hub.policy = {
      route: () => 1,
      damage: (_from, _to, copy) => {
        copy[0] = 99;
      },
    };
    const sent = Uint8Array.of(1, 2);
    pair.dialled.send(sent);
    expect(pair.after(5)).toEqual(['right 99 2']);
    expect([...sent]).toEqual([1, 2]);
  });

  test('a node that starts again takes over its name from the process before it', () => {
    const pair = new Pair();
    const again = pair.hub.network('right');
    expect(pair.right.stopped).toBe(true);
    expect(pair.after(5)).toEqual(['left close: the other end went away']);
    again.listen(
      'right:1',
      () => pair.recorder('new right'),
      () => {},
    );
    pair.left.dial('right:1', '/peer', pair.recorder('new left'));
    expect(pair.after(5)).toEqual(['new right open', 'new left open']);
  });
});
