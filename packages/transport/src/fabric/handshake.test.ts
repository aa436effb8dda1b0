import { Writer, Xxh64 } from '@flotilla/base';
import { Lane, type SocketHandler } from '@flotilla/ports';
import {
  beginFrame,
  FrameKind,
  type Hello,
  openFrame,
  Role,
  readHello,
  readRefusal,
  sealFrame,
  writeHello,
} from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { FabricLab, type LabStore } from '../../contract/fabric-lab.ts';

/** A program that speaks to a store by hand. */
class Stranger implements SocketHandler {
  readonly lab: FabricLab;
  readonly heard: string[] = [];
  readonly #socket;
  readonly #hasher = new Xxh64();
  open = false;

  constructor(lab: FabricLab, address: string, path: '/peer' | '/client' = '/peer') {
    this.lab = lab;
    this.#socket = lab.hub.network(`stranger${lab.random.u32()}`).dial(address, path, this);
    lab.until(() => this.open);
  }

  onOpen(): void {
    this.open = true;
  }

  onMessage(bytes: Uint8Array): void {
    const { kind, body } = openFrame(bytes, this.#hasher, 1 << 24);
    if (kind === FrameKind.refusal) {
      const { code, message } = readRefusal(body);
      this.heard.push(`refusal ${code}${message}`);
    } else if (kind === FrameKind.welcome) this.heard.push(`welcome ${readHello(body).storeId}`);
    else this.heard.push(`frame ${kind}`);
  }

  onClose(): void {
    this.heard.push('close');
  }

  raw(bytes: Uint8Array): this {
    this.#socket.send(bytes);
    return this;
  }

  frame(kind: number, write: (out: Writer) => void): this {
    return this.raw(frameOf(kind, write));
  }

  hello(changes: Partial<Hello> = {}): this {
    return this.frame(FrameKind.hello, (out) => writeHello(out, { ...goodHello, ...changes }));
  }

  after(ms: number): readonly string[] {
    this.lab.time.advance(ms);
    return this.heard.splice(0);
  }
}

function frameOf(kind: number, write: (out: Writer) => void): Uint8Array {
  const out = new Writer();
  beginFrame(out);
  write(out);
  return sealFrame(out, kind, new Xxh64());
}

const goodHello: Hello = {
  role: Role.peer,
  protocolMin: 1,
  protocolMax: 1,
  formatMin: 1,
  formatMax: 1,
  clusterId: 'c1',
  storeId: 's9',
  incarnation: 's9-life-1',
  address: 's9:7401',
  lane: Lane.consensus,
  addressBook: [{ storeId: 's9', incarnation: 's9-life-1', address: 's9:7401', version: 1 }],
};

function labWithStore(): { readonly lab: FabricLab; readonly store: LabStore } {
  const lab = new FabricLab();
  const store = lab.store('s1');
  lab.time.advance(1);
  return { lab, store };
}

describe('the handshake of an accepted socket', () => {
  test('a good hello is answered with welcome and a ping', () => {
    const { lab, store } = labWithStore();
    expect(new Stranger(lab, store.address).hello().after(5)).toEqual([
      'welcome s1',
      `frame ${FrameKind.ping}`,
    ]);
    expect(store.host.heard).toEqual(['up s9']);
    expect(store.fabric.knownStores()).toEqual(['s9']);
  });

  const refusals: readonly (readonly [string, Partial<Hello>, string])[] = [
    ['a client', { role: Role.client }, 'wrong-role'],
    ['a later protocol', { protocolMin: 2, protocolMax: 3 }, 'wrong-protocol'],
    ['another cluster', { clusterId: 'c2' }, 'wrong-cluster'],
    ['no store id', { storeId: '' }, 'bad-store-id'],
    ['a store id with strange letters', { storeId: 's/9' }, 'bad-store-id'],
    ['no incarnation', { incarnation: '' }, 'bad-store-id'],
    ['no address of its own', { addressBook: [] }, 'bad-store-id'],
    ['a lane that does not exist', { lane: 7 }, 'wrong-lane'],
    ['this very store', { storeId: 's1', incarnation: 's1-life-1' }, 'self-connection'],
    ['another store with this id', { storeId: 's1', incarnation: 'x' }, 'store-id-twice'],
  ];
  for (const [who, changes, code] of refusals) {
    test(`${who} is refused as ${code}, without a word of why`, () => {
      const { lab, store } = labWithStore();
      expect(new Stranger(lab, store.address).hello(changes).after(5)).toEqual([`refusal ${code}`, 'close']);
      expect(store.host.heard).toEqual([]);
      expect(store.fabric.traffic.refusals).toBe(1);
      const told = store.events('peer-refused');
      if (code === 'self-connection') expect(told).toEqual([]);
      else expect(told[0]).toMatchObject({ code, message: expect.stringMatching(/.{20}/) });
    });
  }

  test('the address book of someone from another cluster is not taken over', () => {
    const { lab, store } = labWithStore();
    new Stranger(lab, store.address).hello({ clusterId: 'c2' }).after(5);
    expect(store.fabric.knownStores()).toEqual([]);
  });

  test('a blank store is welcome, and welcome to any cluster', () => {
    const { lab, store } = labWithStore();
    expect(new Stranger(lab, store.address).hello({ clusterId: '' }).after(5)[0]).toBe('welcome s1');
    const blank = lab.store('s2', { clusterId: '' });
    expect(new Stranger(lab, blank.address).hello({ clusterId: 'c7' }).after(5)[0]).toBe('welcome s2');
  });

  test('a blank store that joins a cluster ends its links to others', () => {
    const lab = new FabricLab();
    const blank = lab.store('s2', { clusterId: '' });
    const stranger = new Stranger(lab, blank.address).hello({ clusterId: 'c7' });
    lab.until(() => blank.fabric.isUp('s9'));
    expect(blank.fabric.clusterOf('s9')).toBe('c7');
    blank.fabric.setClusterId('c1');
    expect(stranger.after(5)).toContain('close');
    expect(blank.host.heard).toEqual(['up s9', 'down s9']);
    expect(() => blank.fabric.setClusterId('c2')).toThrow(/never changes/);
  });

  test('a peer that founds another cluster later is left as its ping says so', () => {
    const lab = new FabricLab();
    const s1 = lab.store('s1');
    const s2 = lab.store('s2', { clusterId: '' });
    s2.fabric.learn('s1', 's1:7401', 1);
    s2.fabric.want(['s1']);
    lab.until(() => s1.fabric.isUp('s2'));
    s2.fabric.setClusterId('c2');
    lab.until(() => !s1.fabric.isUp('s2'));
    lab.time.advance(10_000);
    expect(s1.fabric.isUp('s2')).toBe(false);
    expect(s1.events('peer-refused')[0]).toMatchObject({ code: 'wrong-cluster' });
  });

  test('who says nothing for 3 seconds is shown out, and so is who says something else', () => {
    const { lab, store } = labWithStore();
    const silent = new Stranger(lab, store.address);
    expect(silent.after(2990)).toEqual([]);
    expect(silent.after(20)).toEqual(['close']);
    for (const kind of [FrameKind.raft, FrameKind.ping, FrameKind.welcome, FrameKind.refusal]) {
      expect(new Stranger(lab, store.address).frame(kind, () => {}).after(5)).toEqual(['close']);
    }
  });

  test('garbage, damage and truncation close that one socket and are counted (X14)', () => {
    const { lab, store } = labWithStore();
    const good = new Stranger(lab, store.address).hello();
    good.after(5);
    const sound = frameOf(FrameKind.hello, (out) => writeHello(out, goodHello));
    const damaged = sound.slice();
    damaged[20] = (damaged[20] as number) ^ 1;
    const shortBody = frameOf(FrameKind.hello, (out) => out.u8(Role.peer));
    const random = lab.random.fork('garbage');
    const noise = Uint8Array.from({ length: 100 }, () => random.below(256));
    const bad = [new Uint8Array(0), Uint8Array.of(1), damaged, sound.subarray(0, 40), shortBody, noise];
    for (const bytes of bad) expect(new Stranger(lab, store.address).raw(bytes).after(5)).toEqual(['close']);
    expect(store.fabric.traffic.framesBad).toBe(bad.length);
    expect(store.fabric.isUp('s9')).toBe(true);
    // The same on the link that is up: a reset in the middle of a frame looks like this (N10).
    expect(good.raw(noise).after(5)).toContain('close');
    expect(store.events('peer-down')[0]).toMatchObject({ reason: expect.stringContaining('bad frame') });
  });

  test('a frame whose body the host cannot read closes the socket too', () => {
    const { lab, store } = labWithStore();
    const stranger = new Stranger(lab, store.address).hello();
    stranger.after(5);
    expect(stranger.frame(FrameKind.pong, (out) => out.u8(1)).after(5)).toContain('close');
  });

  test('no more than 256 strangers wait at the door', () => {
    const { lab, store } = labWithStore();
    const strangers = Array.from({ length: 257 }, () => new Stranger(lab, store.address));
    expect(strangers.filter((stranger) => stranger.after(5).includes('close'))).toHaveLength(1);
  });

  test('a second hello of the same store takes the place of its first link', () => {
    const { lab, store } = labWithStore();
    const first = new Stranger(lab, store.address).hello();
    first.after(5);
    const second = new Stranger(lab, store.address).hello();
    expect(second.after(5)[0]).toBe('welcome s1');
    expect(first.after(0)).toContain('close');
    expect(store.host.heard).toEqual(['up s9', 'down s9', 'up s9']);
  });

  test('another incarnation gets in only once the old one fails to answer', () => {
    const { lab, store } = labWithStore();
    const old = new Stranger(lab, store.address).hello();
    old.after(5);
    const answer = (): void => {
      old.frame(FrameKind.pong, (out) => {
        out.f64(0);
        out.f64(0);
      });
    };
    // The old one lives: the other is kept out however often it comes.
    for (let round = 0; round < 5; round++) {
      const other = new Stranger(lab, store.address).hello({ incarnation: 'life-2' });
      expect(other.after(5)).toEqual(['refusal incarnation-busy', 'close']);
      answer();
      lab.time.advance(400);
      answer();
      lab.time.advance(400);
    }
    expect(store.events('peer-refused')[0]).toMatchObject({ message: expect.stringContaining('same id') });
    expect(store.fabric.isUp('s9')).toBe(true);
    // The old one is silent now: after a second the way is free.
    const other = new Stranger(lab, store.address).hello({ incarnation: 'life-2' });
    expect(other.after(1100)).toEqual(['refusal incarnation-busy', 'close']);
    expect(store.fabric.isUp('s9')).toBe(false);
    expect(new Stranger(lab, store.address).hello({ incarnation: 'life-2' }).after(5)[0]).toBe('welcome s1');
    expect(store.host.up.get('s9')?.incarnation).toBe('life-2');
  });

  test('the same refusal is logged once in a while, not each time', () => {
    const { lab, store } = labWithStore();
    for (let round = 0; round < 50; round++)
      new Stranger(lab, store.address).hello({ clusterId: 'c2' }).after(100);
    expect(store.events('peer-refused')).toHaveLength(1);
    lab.time.advance(10_000);
    new Stranger(lab, store.address).hello({ clusterId: 'c2' }).after(100);
    expect(store.events('peer-refused')).toHaveLength(2);
  });
});

describe('the handshake of a dialled socket', () => {
  test('a different store at the address is left, and the right one found through its book', () => {
    const lab = new FabricLab();
    const s1 = lab.store('s1');
    const s3 = lab.store('s3', { address: 'elsewhere:1' });
    const s2 = lab.store('s2', { address: 's3:7401' });
    s2.fabric.learn('s3', 'elsewhere:1', 3);
    s1.fabric.learn('s3', 's3:7401', 2);
    s1.fabric.want(['s3']);
    lab.until(() => s1.fabric.isUp('s3'));
    expect(s3.host.heard).toEqual(['up s1']);
    expect(s1.events('peer-refused')[0]).toMatchObject({ code: 'wrong-store' });
  });

  test('a store of another cluster or of another release is left', () => {
    for (const [changes, code] of [
      [{ clusterId: 'c2' }, 'wrong-cluster'],
      [{ protocol: { min: 2, max: 2 } }, 'wrong-protocol'],
    ] as const) {
      const lab = new FabricLab();
      const s1 = lab.store('s1');
      lab.store('s2', changes);
      s1.fabric.learn('s2', 's2:7401', 1);
      s1.fabric.want(['s2']);
      lab.time.advance(20_000);
      expect(s1.fabric.isUp('s2')).toBe(false);
      expect(s1.events('peer-refused-us')[0]).toMatchObject({ code });
    }
  });

  test('protocol ranges that overlap agree', () => {
    const lab = new FabricLab();
    const s1 = lab.store('s1', { protocol: { min: 1, max: 2 } });
    lab.store('s2', { protocol: { min: 2, max: 3 } });
    s1.fabric.learn('s2', 's2:7401', 1);
    s1.fabric.want(['s2']);
    lab.until(() => s1.fabric.isUp('s2'));
  });

  test('an address that accepts and says nothing is given up after 3 seconds and tried again', () => {
    const lab = new FabricLab();
    let sockets = 0;
    lab.hub.network('mute').listen(
      's2:7401',
      () => {
        sockets++;
        return { onOpen: () => {}, onMessage: () => {}, onClose: () => {} };
      },
      () => {},
    );
    const s1 = lab.store('s1');
    s1.fabric.learn('s2', 's2:7401', 1);
    s1.fabric.want(['s2']);
    lab.time.advance(3010);
    expect(s1.events('peer-unreachable')[0]).toMatchObject({ reason: 'no handshake in time' });
    lab.time.advance(10_000);
    expect(sockets).toBeGreaterThan(4);
  });
});
