import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AddressBookFile, decodeAddressBook } from './address-book-file.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-book-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const own = { storeId: 's1', incarnation: 'i', address: 'h:7401' };
const entry = (storeId: string, version = 1) => ({ storeId, incarnation: 'i', address: 'h:1', version });
const never = (error: Error) => {
  throw error;
};

describe('the address book on disk', () => {
  test('is empty in a new directory, and its own version rises with every start', () => {
    const first = new AddressBookFile(directory, own, 0);
    expect(first.damage).toBeUndefined();
    expect(first.entries).toEqual([{ ...own, version: 0 }]);
    expect([first.ownVersion, new AddressBookFile(directory, own, 0).ownVersion]).toEqual([1, 2]);
  });

  test('keeps the last of several saves', async () => {
    const book = new AddressBookFile(directory, own, 0);
    for (let version = 1; version <= 9; version++) {
      book.save([{ ...own, version: 7 }, entry('s2', version)], never);
    }
    await book.flushed();
    const next = new AddressBookFile(directory, own, 0);
    expect(next.entries).toEqual([entry('s2', 9), { ...own, version: 7 }]);
    expect(next.ownVersion).toBe(8);
  });

  test('survives damage as an empty one whose version still rises', () => {
    const path = join(directory, 'address-book');
    new AddressBookFile(directory, own, 5_000_000);
    const bytes = readFileSync(path);
    bytes[9] = (bytes[9] as number) ^ 1;
    writeFileSync(path, bytes);
    const book = new AddressBookFile(directory, own, 5_001_000);
    expect(book.damage).toMatch(/checksum/);
    expect(book.ownVersion).toBe(5_001);
    expect(decodeAddressBook(new Uint8Array(readFileSync(path)))).toEqual([{ ...own, version: 5_001 }]);
  });

  test('half a file is damage too', () => {
    const path = join(directory, 'address-book');
    new AddressBookFile(directory, own, 0);
    writeFileSync(path, readFileSync(path).subarray(0, 5));
    expect(new AddressBookFile(directory, own, 0).damage).toBeDefined();
  });
});
