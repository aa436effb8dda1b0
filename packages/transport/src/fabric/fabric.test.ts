import { Lane } from '@flotilla/ports';
import { FrameKind, limits } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { FabricLab, type LabStore, text } from '../../contract/fabric-lab.ts';

/** Every store has both lanes to every store that it wants. */
function meshed(stores: readonly LabStore[]): boolean {
  return stores.every((store) =>
    store.fabric.peers().every((peer) => !peer.wanted || (peer.consensusUp && peer.bulkUp)),
  );
}

function pairOf(lab: FabricLab): readonly [LabStore, LabStore] {
  const stores = lab.cluster('s1', 's2') as readonly [LabStore, LabStore];
  lab.until(() => meshed(stores));
  return stores;
}

const downs = (store: LabStore): readonly string[] =>
  store.host.heard.filter((event) => event.startsWith('down'));

describe('links', () => {
  test('stores that dial each other at the same time end with one socket for each pair and lane', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const lab = new FabricLab(seed);
      const delays = lab.random.fork('delays');
      lab.hub.policy = { route: () => delays.below(20) };
      const stores = lab.cluster('s1', 's2', 's3');
      lab.until(() => meshed(stores), 5000);
      lab.time.advance(3000);
      expect(meshed(stores)).toBe(true);
      expect(lab.hub.connections).toBe(6);
      // A late hello must not replace a link that is up already.
      for (const store of stores) expect(downs(store)).toEqual([]);
    }
  });

  test('frames arrive on their lane with their kind and bytes', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    expect(s1.fabric.send('s2', Lane.consensus, FrameKind.raft, text('votes'), 'urgent')).toBe(true);
    expect(s2.fabric.send('s1', Lane.bulk, FrameKind.snapshotChunk, text('pages'), 'normal')).toBe(true);
    lab.time.advance(5);
    expect(s2.host.frames).toEqual([
      { from: 's1', lane: Lane.consensus, kind: FrameKind.raft, text: 'votes' },
    ]);
    expect(s1.host.frames).toEqual([
      { from: 's2', lane: Lane.bulk, kind: FrameKind.snapshotChunk, text: 'pages' },
    ]);
  });

  test('the sender may change its bytes after send', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    const body = text('before');
    s1.fabric.send('s2', Lane.consensus, FrameKind.raft, body, 'normal');
    body.fill(0);
    lab.time.advance(5);
    expect(s2.host.frames[0]?.text).toBe('before');
  });

  test('a frame to a store without a link is dropped and says so', () => {
    const lab = new FabricLab();
    const s1 = lab.store('s1');
    expect(s1.fabric.send('s2', Lane.consensus, FrameKind.raft, text('x'), 'normal')).toBe(false);
    expect(s1.fabric.queuedBytes('s2', Lane.consensus)).toBe(0);
  });

  test('a frame as large as the limit passes', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    const body = new Uint8Array(limits.peerFrameBytes).fill(0x61);
    expect(s1.fabric.send('s2', Lane.bulk, FrameKind.snapshotChunk, body, 'normal')).toBe(true);
    lab.time.advance(5);
    expect(s2.host.frames[0]?.text.length).toBe(limits.peerFrameBytes);
    expect(() => s1.fabric.send('s2', Lane.bulk, 32, new Uint8Array(body.length + 1), 'normal')).toThrow(
      /fit/,
    );
  });

  test('a link that one side alone wants is answered by the other and ends when it is let go', () => {
    const lab = new FabricLab();
    const s2 = lab.store('s2');
    const s1 = lab.store('s1');
    s1.fabric.learn('s2', 's2:7401', 1);
    s1.fabric.want(['s2', 's1']);
    lab.until(() => s2.fabric.isUp('s1'));
    lab.time.advance(30_000);
    expect([s1.host.heard, s2.host.heard]).toEqual([['up s2'], ['up s1']]);
    s1.fabric.want([]);
    lab.time.advance(30_000);
    expect(s2.host.heard).toEqual(['up s1', 'down s1']);
    expect(lab.hub.connections).toBe(0);
  });

  test('the host hears who connected: incarnation, address and formats', () => {
    const lab = new FabricLab();
    const [s1] = pairOf(lab);
    expect(s1.host.up.get('s2')).toEqual({
      storeId: 's2',
      incarnation: 's2-life-1',
      address: 's2:7401',
      formats: [1, 1],
    });
  });
});

describe('outages', () => {
  test('a store that restarts is linked again within a few round trips', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    lab.time.advance(5000);
    s2.kill();
    lab.time.advance(100);
    expect(s1.host.heard).toEqual(['up s2', 'down s2']);
    const again = lab.store('s2', { addressBook: s2.book });
    again.fabric.want(['s1']);
    expect(lab.until(() => s1.fabric.isUp('s2') && again.fabric.isUp('s1'), 5000)).toBeLessThan(50);
  });

  test('a link that worked is dialled again at once when it drops', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    lab.time.advance(5000);
    lab.hub.breakLinks('s1', 's2');
    lab.time.advance(1);
    // Streams on the bulk lane have lost frames, which the end of the other lane does not say.
    expect([s1.host.bulkDowns, s2.host.bulkDowns]).toEqual([['s2'], ['s1']]);
    expect(lab.until(() => downs(s1).length > 0 && meshed([s1, s2]))).toBeLessThan(20);
  });

  test('while a store is down it is dialled with growing pauses of at most two seconds', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    lab.time.advance(5000);
    s2.kill();
    const dialsBefore = s1.fabric.traffic.dials;
    lab.time.advance(60_000);
    // Two lanes and no seeds; without back-off it would be thousands.
    const dials = s1.fabric.traffic.dials - dialsBefore;
    expect(dials).toBeGreaterThan(2 * 8);
    expect(dials).toBeLessThan(2 * 70);
    expect(s1.events('peer-unreachable').length).toBeGreaterThan(0);
  });

  test('a hundred stores that lose the same peer do not dial it in step (N11)', () => {
    const lab = new FabricLab();
    const times: number[] = [];
    for (let number = 0; number < 100; number++) {
      const store = lab.store(`t${number}`);
      store.fabric.learn('s1', 's1:7401', 1);
      store.fabric.want(['s1']);
    }
    lab.time.advance(20_000);
    lab.hub.policy = {
      route: (_, to) => {
        if (to === 's1:7401') times.push(lab.time.monoMs());
        return 1;
      },
    };
    lab.time.advance(2000);
    const perMs = new Map<number, number>();
    for (const at of times) perMs.set(Math.floor(at), (perMs.get(Math.floor(at)) ?? 0) + 1);
    expect(times.length).toBeGreaterThan(200);
    expect(Math.max(...perMs.values())).toBeLessThan(12);
  });

  test('a half-open link is noticed after 15 silent seconds and replaced (N9)', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    lab.time.advance(5000);
    s2.kill({ silently: true });
    const took = lab.until(() => downs(s1).length > 0);
    expect(took).toBeGreaterThan(14_000);
    expect(took).toBeLessThan(17_000);
    expect(s1.events('peer-down')[0]?.reason).toMatch(/silent/);
  });

  test('a store back from a power cut need not wait for its half-open links to be noticed', () => {
    for (const [victim, survivor] of [
      ['s1', 's2'],
      ['s2', 's1'],
    ] as const) {
      const lab = new FabricLab();
      const stores = pairOf(lab);
      lab.time.advance(5000);
      const old = stores.find((store) => store.fabric.addressOf(victim) === store.address) as LabStore;
      const other = stores.find((store) => store !== old) as LabStore;
      old.kill({ silently: true });
      const again = lab.store(victim, { addressBook: old.book });
      again.fabric.want([survivor]);
      const took = lab.until(
        () => again.fabric.isUp(survivor) && other.fabric.isUp(victim) && meshed([other, again]),
      );
      expect(took).toBeLessThan(1500);
    }
  });

  test('a one-way cut ends the link on both sides and both come back when it heals (N1)', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    lab.time.advance(3000);
    lab.hub.policy = { route: (from) => (from === 's1' ? Number.POSITIVE_INFINITY : 1) };
    lab.until(() => downs(s1).length > 0 && downs(s2).length > 0, 40_000);
    lab.hub.policy = { route: () => 1 };
    lab.hub.release();
    expect(lab.until(() => meshed([s1, s2]))).toBeLessThan(4000);
    lab.time.advance(20_000);
    expect(meshed([s1, s2])).toBe(true);
    expect(lab.hub.connections).toBe(2);
  });

  test('a process that stood still itself does not blame its peers', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    lab.time.advance(3000);
    // Nothing arrives and no timer of s1 fires for 20 s; then everything at once, its own timers first.
    let asleep = 0;
    const clock = { monoMs: () => lab.time.monoMs() + asleep, wallMs: () => lab.time.wallMs() + asleep };
    const sleeper = lab.store('s3', { clock });
    sleeper.fabric.learn('s1', 's1:7401', 5);
    sleeper.fabric.want(['s1']);
    lab.until(() => sleeper.fabric.isUp('s1'));
    lab.time.advance(1500);
    asleep = 20_000;
    lab.time.advance(3000);
    expect(downs(sleeper)).toEqual([]);
    expect(downs(s2)).toEqual([]);
    expect(s1.host.heard).toContain('up s3');
  });

  test('stopping a fabric closes its links and tells its host nothing any more', () => {
    const lab = new FabricLab();
    const [s1, s2] = pairOf(lab);
    s1.fabric.stop();
    lab.time.advance(5);
    expect(downs(s1)).toEqual([]);
    expect(downs(s2)).toEqual(['down s1']);
    expect(s1.fabric.send('s2', Lane.consensus, FrameKind.raft, text('x'), 'normal')).toBe(false);
    lab.time.advance(60_000);
    expect(lab.hub.connections).toBe(0);
  });
});
