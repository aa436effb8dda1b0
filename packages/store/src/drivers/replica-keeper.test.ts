import { type GroupName, groupNameText } from '@flotilla/base';
import { EMPTY_CONFIG } from '@flotilla/controller';
import type { Host } from '@flotilla/host';
import type { ClusterConfig, GroupRecord } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { ReplicaKeeper } from './replica-keeper.ts';

function record(gid: number, incarnation: number, storeIncarnation = 'i1'): GroupRecord {
  return { gid, incarnation, replicas: [{ raftId: 1, storeId: 's1', storeIncarnation }], leaving: false };
}

function configOf(number: number, groups: readonly GroupRecord[], controller = record(0, 0)): ClusterConfig {
  return { ...EMPTY_CONFIG, number, groups, controller };
}

/** A host that does what it is told when the test says so. */
class FakeHost {
  here: GroupName[] = [];
  broken: GroupName[] = [];
  readonly done: string[] = [];
  readonly open: (() => void)[] = [];

  replicas() {
    return this.here.map((group) => ({ group }));
  }

  unopened() {
    return this.broken.map((group) => ({ group }));
  }

  create(group: GroupName, _raftId: number, _members: unknown, done: (refused: string | undefined) => void) {
    this.open.push(() => {
      this.done.push(`made ${groupNameText(group)}`);
      this.here.push(group);
      done(undefined);
    });
  }

  destroy(group: GroupName, done: (refused: string | undefined) => void) {
    const others = (each: GroupName): boolean => groupNameText(each) !== groupNameText(group);
    this.here = this.here.filter(others);
    this.broken = this.broken.filter(others);
    this.open.push(() => {
      this.done.push(`removed ${groupNameText(group)}`);
      done(undefined);
    });
  }

  finish(): readonly string[] {
    for (let next = this.open.shift(); next !== undefined; next = this.open.shift()) next();
    return this.done.splice(0);
  }
}

function keeperOf(clusterId = 'c') {
  const host = new FakeHost();
  const world = { config: EMPTY_CONFIG };
  const keeper = new ReplicaKeeper({
    storeId: 's1',
    incarnation: 'i1',
    host: host as unknown as Host,
    log: { log() {} },
    clusterId: () => clusterId,
    config: () => world.config,
  });
  const see = (config: ClusterConfig): void => {
    world.config = config;
    keeper.reconcile();
  };
  return { host, see };
}

describe('a store keeps', () => {
  test('what the config gives to this life of it, and makes nothing twice', () => {
    const { host, see } = keeperOf();
    see(configOf(3, [record(1, 2), record(2, 3, 'i0')]));
    see(configOf(4, [record(1, 2), record(2, 3, 'i0')]));
    expect(host.finish()).toEqual(['made 0.0', 'made 1.2']);
    see(configOf(5, [record(1, 2)]));
    expect(host.finish()).toEqual([]);
  });

  test('nothing of a group that a later config does not name, whether it is sound or not', () => {
    const { host, see } = keeperOf();
    host.here = [
      { gid: 0, incarnation: 0 },
      { gid: 1, incarnation: 2 },
    ];
    host.broken = [{ gid: 2, incarnation: 3 }];
    see(configOf(7, []));
    expect(host.finish()).toEqual(['removed 1.2', 'removed 2.3']);
    expect(host.here).toEqual([{ gid: 0, incarnation: 0 }]);
  });

  test('what an older config, none, or a life without a cluster cannot know of', () => {
    const here = { gid: 1, incarnation: 7 };
    for (const number of [1, 6, 7]) {
      const { host, see } = keeperOf();
      host.here = [here];
      see(configOf(number, []));
      expect(host.here).toContain(here);
    }
    const { host, see } = keeperOf();
    host.here = [here];
    see(EMPTY_CONFIG);
    expect(host.finish()).toEqual([]);
    const blank = keeperOf('');
    blank.host.here = [here];
    blank.see(configOf(9, []));
    expect(blank.host.finish()).toEqual([]);
  });

  test('the controller group, whatever a config says of it', () => {
    const { host, see } = keeperOf();
    host.here = [{ gid: 0, incarnation: 0 }];
    see(configOf(9, [], record(0, 0, 'other')));
    expect(host.finish()).toEqual([]);
    expect(host.here).toHaveLength(1);
  });

  test('a group that lives on elsewhere: that it has no place here any more is another question', () => {
    const { host, see } = keeperOf();
    host.here = [
      { gid: 0, incarnation: 0 },
      { gid: 1, incarnation: 2 },
    ];
    see(configOf(9, [record(1, 2, 'i9')]));
    expect(host.finish()).toEqual([]);
  });
});

describe('of two incarnations of a group', () => {
  test('the old one goes first, and only then the new one is made', () => {
    const { host, see } = keeperOf();
    host.here = [
      { gid: 0, incarnation: 0 },
      { gid: 1, incarnation: 2 },
    ];
    see(configOf(9, [record(1, 8)]));
    expect(host.finish()).toEqual(['removed 1.2', 'made 1.8']);
  });

  test('one that ends while it is being made is removed as soon as it is there', () => {
    const { host, see } = keeperOf();
    host.here = [{ gid: 0, incarnation: 0 }];
    see(configOf(8, [record(1, 8)]));
    see(configOf(9, []));
    see(configOf(10, [record(1, 10)]));
    expect(host.finish()).toEqual(['made 1.8', 'removed 1.8', 'made 1.10']);
  });
});
