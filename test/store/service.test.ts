import { MessageKind, utf8Encode } from '@flotilla/base';
import { BatchStatus, FrameKind, limits, ReadLevel, Role } from '@flotilla/wire';
import { beforeAll, describe, expect, test } from 'vitest';
import { Bench, type BenchStore, RawClient } from './bench.ts';

const SHARDS = 16;

describe('a client that does not follow the protocol', () => {
  let bench: Bench;
  let store: BenchStore;
  beforeAll(() => {
    bench = new Bench().serving();
    store = bench.store('s1');
  });

  function stillServes(): void {
    const client = bench.client(bench.leader(1));
    const request = client.put(['alive'], SHARDS);
    bench.until(() => client.batches.has(request));
    expect(client.batches.get(request)?.status).toBe(BatchStatus.results);
    expect(store.fatal).toEqual([]);
    client.close();
  }

  test('is cut when it says no hello within three seconds, and not before', () => {
    const client = new RawClient(bench, 's1');
    bench.run(2_900);
    expect(client.closed).toBeUndefined();
    bench.run(200);
    expect(client.closed).toBeDefined();
    stillServes();
  });

  test('is cut for garbage, for a frame with a flipped bit, and for a frame before its hello', () => {
    const garbage: ((client: RawClient) => void)[] = [
      (client) => client.raw(new Uint8Array(0)),
      (client) => client.raw(new Uint8Array(100).fill(7)),
      (client) => client.raw(utf8Encode('GET / HTTP/1.1\r\n\r\n')),
      (client) => client.put(['a'], SHARDS),
      (client) => client.frame(FrameKind.hello, (out) => out.u8(1)),
    ];
    for (const say of garbage) {
      const client = new RawClient(bench, 's1');
      say(client);
      bench.run(10);
      expect(client.closed).toBeDefined();
    }
    const flipped = bench.client(store);
    const raw = flipped.raw.bind(flipped);
    flipped.raw = (bytes) => {
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
      raw(bytes);
    };
    flipped.put(['a'], SHARDS);
    bench.run(10);
    expect(flipped.closed).toBeDefined();
    stillServes();
  });

  test.each([
    ['another protocol', { protocolMin: 9, protocolMax: 12 }, 'wrong-protocol'],
    ['another cluster', { clusterId: 'elsewhere' }, 'wrong-cluster'],
    ['the role of a store', { role: Role.peer }, 'wrong-role'],
  ])('is refused with a reason when it brings %s', (_what, change, code) => {
    const client = new RawClient(bench, 's1');
    client.hello(change);
    bench.run(10);
    expect(client.refusal).toBe(code);
    expect(client.closed).toBeDefined();
    stillServes();
  });

  test('harms nothing with any kind of frame and truncated bodies after its hello', () => {
    for (let kind = 0; kind < 64; kind++) {
      for (const length of [0, 1, 11, 12, 40]) {
        const client = bench.client(store);
        client.frame(kind, (out) => out.raw(new Uint8Array(length).fill(kind + length)));
        bench.run(1);
        client.close();
      }
    }
    bench.run(100);
    stillServes();
  });

  test('gets an answer to an admin request that makes no sense', () => {
    const client = bench.client(store);
    const slots = [
      client.admin('no-such-method', {}),
      client.admin('join', {}),
      client.admin('join', { requestId: 'x', groups: [{ gid: 9, stores: ['nobody'] }] }),
      client.admin('config', { number: 99_999 }),
      client.admin('transferLeader', { requestId: 'x', gid: 77, store: 's1' }),
      client.admin('status', { after: 'nonsense' }),
    ];
    bench.until(() => slots.every((slot) => slot.value !== undefined));
    for (const slot of slots.slice(0, 5)) expect(slot.value).toMatchObject({ ok: false });
    for (const slot of slots.slice(0, 5)) {
      expect((slot.value as { message: string }).message.length).toBeGreaterThan(10);
    }
    stillServes();
  });

  test('that reads nothing is cut, whether it asks for reads, configs or pongs', () => {
    const client = bench.client(store);
    bench.hub.policy = { route: (from) => (from === 's1' ? Number.POSITIVE_INFINITY : 0.3) };
    for (let at = 0; at < 40 && client.closed === undefined; at++) {
      client.frame(FrameKind.ping, (out) => out.raw(new Uint8Array(1_000_000)));
      bench.run(1);
    }
    expect(store.events.some((event) => event.includes('it does not read its replies'))).toBe(true);
    bench.hub.policy = { route: () => 0.3 };
    bench.hub.release();
    bench.run(1_000);
    stillServes();
  });
});

describe('batches', () => {
  let bench: Bench;
  beforeAll(() => {
    bench = new Bench().serving();
  });

  test('that cannot be taken say why: no group, not the leader, expired, too many reads, malformed', () => {
    const leader = bench.leader(1);
    const follower = bench.stores.find((store) => store !== leader) as BenchStore;
    const client = bench.client(leader);
    const other = bench.client(follower);
    const none = client.put(['a'], SHARDS, { gid: 9 });
    const zero = client.put(['a'], SHARDS, { gid: 0 });
    const expired = client.put(['a'], SHARDS, { timeLeftMs: 0 });
    const wrong = other.put(['a'], SHARDS);
    const read = other.get('a', SHARDS);
    bench.run(50);
    expect(client.batches.get(none)?.status).toBe(BatchStatus.noGroup);
    expect(client.batches.get(zero)?.status).toBe(BatchStatus.noGroup);
    expect(client.batches.get(expired)?.status).toBe(BatchStatus.expired);
    for (const request of [wrong, read]) {
      expect(other.batches.get(request)).toMatchObject({
        status: BatchStatus.notLeader,
        leader: leader.id,
        address: `${leader.id}:7400`,
      });
    }
  });

  test('of one connection and turn are answered in one frame', () => {
    const client = bench.client(bench.leader(1));
    const before = client.replyFrames;
    const requests = Array.from({ length: 50 }, (_, at) => client.put([`many ${at}`], SHARDS));
    bench.until(() => requests.every((request) => client.batches.has(request)));
    expect(client.replyFrames - before).toBeLessThanOrEqual(2);
  });

  test('beyond the limit in flight are refused at once, and the others get their answers', () => {
    const leader = bench.leader(1);
    const client = bench.client(leader);
    leader.log.stall();
    const count = limits.inFlightRequests + 3;
    const requests = Array.from({ length: count }, (_, at) => client.put([`k${at % 100}`], SHARDS));
    bench.run(20);
    const refused = requests.filter(
      (request) => client.batches.get(request)?.status === BatchStatus.overloaded,
    );
    expect(refused).toEqual(requests.slice(limits.inFlightRequests));
    leader.log.resume();
    bench.until(() => requests.every((request) => client.batches.has(request)));
    // They were counted down again: there is room for as many as before.
    const again = client.put(['again'], SHARDS);
    bench.until(() => client.batches.has(again));
    expect(client.batches.get(again)?.status).toBe(BatchStatus.results);
  });

  test('with one command for a wrong shard among good ones are answered whole', () => {
    const client = bench.client(bench.leader(1));
    const mixed = client.put(['a', 'b', 'c'], SHARDS, { shard: 3 });
    bench.until(() => client.batches.has(mixed));
    expect(client.batches.get(mixed)?.status).toBe(BatchStatus.results);
  });

  test('at a follower are read through the leader, or stale within the bound that was asked for', () => {
    const leader = bench.leader(1);
    const follower = bench.stores.find((store) => store !== leader) as BenchStore;
    const client = bench.client(follower);
    bench.run(200);
    const fresh = client.get('a', SHARDS, { level: ReadLevel.follower });
    const stale = client.get('a', SHARDS, { level: ReadLevel.stale, maxAgeMs: 1_000 });
    const tooFresh = client.get('a', SHARDS, { level: ReadLevel.stale, maxAgeMs: 0 });
    bench.until(() => [fresh, stale, tooFresh].every((request) => client.batches.has(request)));
    expect(client.batches.get(fresh)?.status).toBe(BatchStatus.results);
    expect(client.batches.get(stale)?.status).toBe(BatchStatus.results);
    expect(client.batches.get(tooFresh)?.status).toBe(BatchStatus.notNow);
  });
});

describe('a store that drains', () => {
  test('hands its leaderships away, answers what is in flight, takes no new client, and is done soon', () => {
    const bench = new Bench().serving();
    const leader = bench.leader(1);
    const client = bench.client(leader);
    const request = client.put(['last'], SHARDS);
    let isDone = false;
    bench.run(0.4);
    leader.node.drain(() => {
      isDone = true;
    });
    const took = bench.until(() => isDone);
    expect(took).toBeLessThan(1_000);
    bench.until(() => client.batches.has(request));
    expect([...leader.node.host.replicas()].some((replica) => replica.isLeader)).toBe(false);
    expect(leader.node.readiness().reasons).toContain('this store is draining');
    const late = new RawClient(bench, leader.id);
    late.hello();
    bench.run(50);
    expect(late.isWelcome).toBe(false);
  });

  test('that is asked twice answers both, and a third one at once', () => {
    const bench = new Bench().serving();
    const leader = bench.leader(1);
    const done: number[] = [];
    leader.node.drain(() => done.push(1));
    leader.node.drain(() => done.push(2));
    bench.until(() => done.length === 2);
    leader.node.drain(() => done.push(3));
    expect(done).toEqual([1, 2, 3]);
  });

  test('with all others of its cluster waits for nobody who could take what it leads', () => {
    const bench = new Bench().serving();
    let open = bench.stores.length;
    for (const store of bench.stores) store.node.drain(() => open--);
    expect(bench.until(() => open === 0)).toBeLessThan(1_000);
  });

  test('asks again when a transfer fails', () => {
    const bench = new Bench().serving();
    const leader = bench.leader(1);
    const links = bench.linksOf(leader);
    const send = links.send.bind(links);
    let lost = 0;
    links.send = (to, lane, kind, body, urgency) => {
      // Byte 12 is the kind of the first message in the frame.
      const isTransfer = kind === FrameKind.raft && body[12] === MessageKind.timeoutNow;
      return isTransfer && lost++ < 2 ? true : send(to, lane, kind, body, urgency);
    };
    let isDone = false;
    leader.node.drain(() => {
      isDone = true;
    });
    expect(bench.until(() => isDone)).toBeLessThan(4_500);
    expect(lost).toBeGreaterThan(1);
    expect([...leader.node.host.replicas()].some((replica) => replica.isLeader)).toBe(false);
  });
});
