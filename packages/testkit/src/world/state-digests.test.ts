import { VirtualTime, Writer, Xxh64 } from '@flotilla/base';
import { DataGroup, moveEntry } from '@flotilla/kv';
import { MemoryStateStore } from '@flotilla/storage';
import { MoveStep } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { type Generation, StateDigests } from './state-digests.ts';
import { copyHead } from './state-keys.ts';

const prefixOf = (generation: number): Uint8Array =>
  Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, generation);

/** The stored state of a group that serves shard 3. */
function stateOf(generation: number): MemoryStateStore {
  const store = new MemoryStateStore({ timers: new VirtualTime(), delayMs: () => 0 });
  const prefix = Uint8Array.of(...prefixOf(generation), 1);
  const machine = new DataGroup({ gid: 1, store, prefix, hasher: new Xxh64(), shardCount: 8 });
  machine.load();
  machine.apply(
    7,
    moveEntry({ step: MoveStep.activateEmpty, moveId: 4, shard: 3, epoch: 1 }, 9),
    new Writer(16),
  );
  machine.flush();
  return store;
}

function digestsOf(generation: number): { readonly digests: StateDigests; readonly found: Generation } {
  const digests = new StateDigests();
  stateOf(generation).scan(new Uint8Array(0), undefined, (key, value) => {
    digests.change(key.slice(), undefined, value);
    return true;
  });
  const found = digests.find(1, 5, generation);
  return { digests, found: found ?? expect.unreachable('the generation is there') };
}

const item = (copy: number, generation = 1): Uint8Array =>
  Uint8Array.of(...copyHead(prefixOf(generation), 3, copy), 1, 65);
const value = Uint8Array.of(1, 2, 3);

test('what a shard record names counts, under every generation of the replica alike', () => {
  const [left, right] = [digestsOf(1), digestsOf(2)];
  expect(left.found.digest().equals(right.found.digest())).toBe(true);
  left.digests.change(item(7), undefined, value);
  expect(left.found.digest().equals(right.found.digest())).toBe(false);
  right.digests.change(item(7, 2), undefined, value);
  expect(left.found.digest().equals(right.found.digest())).toBe(true);
});

test('copies that nobody names may be there on one replica and gone on the other', () => {
  const { digests, found } = digestsOf(1);
  const before = found.digest();
  digests.change(item(6), undefined, value);
  expect(found.digest().equals(before)).toBe(true);
  digests.drop(copyHead(prefixOf(1), 3, 6), copyHead(prefixOf(1), 3, 7));
  digests.change(item(7), undefined, value);
  expect(found.digest().equals(before)).toBe(false);
});

test('a copy of which everything has gone again is like one that never held anything', () => {
  const { digests, found } = digestsOf(1);
  const before = found.digest();
  digests.change(item(7), undefined, value);
  digests.change(item(7), value, undefined);
  expect(found.digest().equals(before)).toBe(true);
});

test('what is counted after every change comes to the same as what is counted once', () => {
  const [often, once] = [digestsOf(1), digestsOf(1)];
  for (let at = 0; at < 40; at++) {
    for (const { digests } of [often, once]) {
      digests.change(item(7), at % 3 === 0 ? undefined : value, at % 3 === 2 ? undefined : value);
      if (at === 20) digests.drop(copyHead(prefixOf(1), 3, 7), copyHead(prefixOf(1), 3, 8));
    }
    often.found.digest();
  }
  expect(often.found.digest().equals(once.found.digest())).toBe(true);
});

test('the content of a shard is told at its revision, when it changed', () => {
  const { digests, found } = digestsOf(1);
  const [first] = found.takeContents();
  expect(first).toMatchObject({ shard: 3, names: { revision: 0, content: 7 } });
  expect(found.takeContents()).toEqual([]);
  digests.change(item(7), undefined, value);
  const [second] = found.takeContents();
  expect(second?.sum.equals(first?.sum ?? expect.unreachable('there was a first'))).toBe(false);
});
