import { describe, expect, test } from 'vitest';
import { FabricLab, type LabStore } from '../../contract/fabric-lab.ts';
import { AddressBook } from './address-book.ts';

const line = (
  storeId: string,
  version: number,
  address = `${storeId}:7401`,
  incarnation = `${storeId}-life-1`,
) => ({
  storeId,
  incarnation,
  address,
  version,
});

describe('the address book', () => {
  const self = { storeId: 's1', incarnation: 's1-life-1' };

  test('a store raises its own version at every start', () => {
    expect(new AddressBook(self, 'a:1', []).own.version).toBe(1);
    expect(new AddressBook(self, 'a:1', [line('s1', 7)]).own.version).toBe(8);
  });

  test('the higher version wins, in whatever order the lines come', () => {
    const lines = [line('s2', 1, 'old:1'), line('s2', 3, 'new:1'), line('s2', 2, 'middle:1')];
    for (const order of [lines, [...lines].reverse()]) {
      const book = new AddressBook(self, 'a:1', []);
      for (const entry of order) book.merge([entry]);
      expect(book.get('s2')?.address).toBe('new:1');
    }
  });

  test('a store whose disk was lost outbids the lines of its former life', () => {
    const book = new AddressBook({ storeId: 's1', incarnation: 's1-life-2' }, 'new:1', []);
    expect(book.merge([line('s1', 41, 'old:1')])).toEqual(['s1']);
    expect(book.own).toEqual(line('s1', 42, 'new:1', 's1-life-2'));
    expect(book.merge([line('s1', 40, 'older:1')])).toEqual([]);
  });

  test('the own line as a config has it is no reason to outbid it', () => {
    const book = new AddressBook(self, 'a:1', [line('s1', 7)]);
    expect(book.merge([line('s1', 8, 'a:1', '')])).toEqual([]);
    expect(book.merge([line('s1', 8, 'b:1', '')])).toEqual(['s1']);
    expect(book.own.version).toBe(9);
  });

  test('lines that cannot be true change nothing', () => {
    const book = new AddressBook(self, 'a:1', []);
    const bad = [
      line('', 1),
      line('s/2', 1),
      line('s2', 2 ** 53 - 1),
      line('s2', 1, ''),
      line('s2', 1, 'x'.repeat(257)),
    ];
    expect(book.merge(bad)).toEqual([]);
    expect(book.entries()).toHaveLength(1);
  });

  test('strangers cannot fill it without limit', () => {
    const book = new AddressBook(self, 'a:1', []);
    book.merge(Array.from({ length: 2000 }, (_, number) => line(`t${number}`, 1)));
    expect(book.entries()).toHaveLength(1024);
  });

  test('a learned address without an incarnation keeps the one that is known', () => {
    const book = new AddressBook(self, 'a:1', [line('s2', 1)]);
    book.merge([line('s2', 2, 'b:1', '')]);
    expect(book.get('s2')).toEqual(line('s2', 2, 'b:1'));
  });

  test('news since a revision are exactly what changed after it', () => {
    const book = new AddressBook(self, 'a:1', [line('s3', 1)]);
    const { revision } = book;
    book.merge([line('s2', 1), line('s3', 1)]);
    expect(book.changedSince(revision).map((entry) => entry.storeId)).toEqual(['s2']);
    expect(book.entries().map((entry) => entry.storeId)).toEqual(['s1', 's2', 's3']);
  });
});

describe('finding each other', () => {
  const wantAll = (stores: readonly LabStore[]): void => {
    for (const store of stores) store.fabric.want(['s1', 's2', 's3']);
  };
  const allUp = (stores: readonly LabStore[]): boolean =>
    stores.every(
      (store) => store.fabric.peers().filter((peer) => peer.consensusUp).length === stores.length - 1,
    );

  test('stores that know one seed only find all others through it', () => {
    const lab = new FabricLab();
    const stores = ['s1', 's2', 's3'].map((storeId) => lab.store(storeId, { seeds: ['s1:7401'] }));
    wantAll(stores);
    expect(lab.until(() => allUp(stores))).toBeLessThan(5000);
    lab.time.advance(2000);
    expect(lab.hub.connections).toBe(6);
    for (const store of stores) {
      expect(store.book.map((entry) => entry.address)).toEqual(['s1:7401', 's2:7401', 's3:7401']);
    }
  });

  test('a blank store that wants nobody learns who is there', () => {
    const lab = new FabricLab();
    const stores = lab.cluster('s1', 's2', 's3');
    lab.time.advance(1000);
    const joining = lab.store('s4', { seeds: ['s2:7401'], clusterId: '' });
    lab.until(() => joining.fabric.knownStores().length === 3);
    // And the others learn of it, through pings also those that it never spoke to.
    lab.until(() => stores.every((store) => store.fabric.addressOf('s4') === 's4:7401'), 5000);
  });

  test('seeds are asked until somebody answers, with pauses, and left alone afterwards', () => {
    const lab = new FabricLab();
    const s1 = lab.store('s1', { seeds: ['s2:7401', 's1:7401'] });
    s1.fabric.want(['s2']);
    lab.time.advance(30_000);
    const tries = s1.fabric.traffic.dials;
    expect(tries).toBeGreaterThan(20);
    expect(tries).toBeLessThan(100);
    lab.store('s2');
    expect(lab.until(() => s1.fabric.isUp('s2'))).toBeLessThan(8000);
    lab.time.advance(1000);
    const dials = s1.fabric.traffic.dials;
    lab.time.advance(60_000);
    expect(s1.fabric.traffic.dials).toBe(dials);
  });

  test('a cluster whose addresses all changed finds itself again through the seeds', () => {
    const lab = new FabricLab();
    const before = lab.cluster('s1', 's2', 's3');
    lab.time.advance(3000);
    for (const store of before) store.kill();
    const after = before.map((store, at) =>
      lab.store(`s${at + 1}`, {
        address: `moved${at + 1}:7401`,
        addressBook: store.book,
        seeds: ['moved2:7401'],
      }),
    );
    wantAll(after);
    expect(lab.until(() => allUp(after), 30_000)).toBeLessThan(10_000);
    for (const store of after) expect(store.fabric.addressOf('s3')).toBe('moved3:7401');
  });

  test('a store that moves is found through the pings of the others (N12)', () => {
    const lab = new FabricLab();
    const [s1, s2, s3] = lab.cluster('s1', 's2', 's3') as [LabStore, LabStore, LabStore];
    lab.time.advance(3000);
    s3.kill();
    const moved = lab.store('s3', { address: 'new:9', addressBook: s3.book });
    moved.fabric.want(['s2']);
    lab.until(() => s1.fabric.addressOf('s3') === 'new:9');
    lab.until(() => s1.fabric.isUp('s3') && s2.fabric.isUp('s3') && moved.fabric.isUp('s1'));
    expect(s1.host.heard).toEqual(expect.arrayContaining(['down s3']));
  });

  test('the owner hears of the book once for all changes of a turn', () => {
    const lab = new FabricLab();
    let told = 0;
    const store = lab.store('s1', { onAddressBook: () => told++ });
    lab.time.advance(1);
    expect(told).toBe(1); // Its own new version must be durable too.
    store.fabric.learn('s2', 'a:1', 1);
    store.fabric.learn('s3', 'b:1', 1);
    store.fabric.learn('s3', 'b:1', 1);
    lab.time.advance(1);
    expect(told).toBe(2);
  });

  test('an address from a config is dialled at once, whatever failed before', () => {
    const lab = new FabricLab();
    const s1 = lab.store('s1');
    lab.store('s2', { address: 'right:1' });
    s1.fabric.learn('s2', 'wrong:1', 1);
    s1.fabric.want(['s2']);
    lab.time.advance(30_000);
    s1.fabric.learn('s2', 'right:1', 2);
    expect(lab.until(() => s1.fabric.isUp('s2'))).toBeLessThan(20);
  });
});

describe('clocks', () => {
  test('the offset of a wall clock is measured to within half a round trip, also after jumps', () => {
    const lab = new FabricLab();
    let jump = 5000;
    const clock = { monoMs: () => lab.time.monoMs(), wallMs: () => lab.time.wallMs() + jump };
    const s1 = lab.store('s1');
    const s2 = lab.store('s2', { clock });
    s1.fabric.learn('s2', 's2:7401', 1);
    s1.fabric.want(['s2']);
    expect(s1.fabric.clockOffsetMs('s2')).toBeUndefined();
    const delays = lab.random.fork('delays');
    lab.hub.policy = { route: () => 1 + delays.below(30) };
    lab.until(() => s1.fabric.isUp('s2'));
    lab.time.advance(10_000);
    expect(Math.abs((s1.fabric.clockOffsetMs('s2') as number) - 5000)).toBeLessThan(16);
    expect(Math.abs((s2.fabric.clockOffsetMs('s1') as number) + 5000)).toBeLessThan(16);
    jump = -700;
    // The own jump shows at once, the other's with the next ping.
    expect(Math.abs((s2.fabric.clockOffsetMs('s1') as number) - 700)).toBeLessThan(16);
    lab.time.advance(1100);
    expect(Math.abs((s1.fabric.clockOffsetMs('s2') as number) + 700)).toBeLessThan(32);
    expect(s1.fabric.peers()[0]?.rttMs).toBeGreaterThan(1);
  });
});
