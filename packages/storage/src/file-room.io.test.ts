import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { FileRoom } from './file-room.ts';
import { LmdbEnvironment } from './lmdb-environment.ts';

const mebibyte = 1024 * 1024;
const cleanups: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function open(): { environment: LmdbEnvironment; size: () => number } {
  const path = mkdtempSync(join(tmpdir(), 'flotilla-room-'));
  const environment = new LmdbEnvironment(path);
  cleanups.push(
    () => rmSync(path, { recursive: true }),
    () => environment.close(),
  );
  return { environment, size: () => statSync(join(path, 'data.mdb')).size };
}

async function grow(room: FileRoom): Promise<void> {
  while (room.need() !== 'none') await new Promise<void>((done) => room.grow(done));
}

test('room is made up to 32 MiB behind the used pages, and what the file holds stays as it is', async () => {
  const { environment, size } = open();
  const table = environment.table('records');
  const value = new Uint8Array(4096).fill(7);
  const put = (from: number, to: number): Promise<boolean> =>
    environment.batch(() => {
      for (let at = from; at < to; at++) table.put(Uint8Array.of(at >> 8, at & 255), value);
    });
  await put(0, 500);
  const room = new FileRoom(
    environment.path,
    () => environment.usedBytes(),
    () => true,
  );
  cleanups.push(() => room.close());
  expect(room.need()).toBe('now');
  await grow(room);
  expect(size() - environment.usedBytes()).toBeGreaterThanOrEqual(32 * mebibyte);
  const grown = size();
  await put(500, 1_000);
  // The new pages lie in the room: the file did not become longer.
  expect(size()).toBe(grown);
  environment.refresh();
  for (let at = 0; at < 1_000; at++) {
    expect(table.get(Uint8Array.of(at >> 8, at & 255))?.every((byte) => byte === 7)).toBe(true);
  }
});

test('no room is made while the disk has better use for its space, nor after the end', async () => {
  const { environment } = open();
  const room = new FileRoom(
    environment.path,
    () => environment.usedBytes(),
    () => false,
  );
  expect(room.need()).toBe('none');
  room.close();
  expect(room.need()).toBe('none');
});
