import { close, fdatasync, fstatSync, openSync, write } from 'node:fs';
import { join } from 'node:path';

const mebibyte = 1024 * 1024;
/** Once less than this lies ready behind the last used page, room is made … */
const LOW_BYTES = 8 * mebibyte;
/** … until there is so much of it, seldom and in one go: making room is what waits for the journal. */
const HIGH_BYTES = 32 * mebibyte;
/** With less than this, commits have to wait for it. */
const URGENT_BYTES = 4 * mebibyte;
const STEP_BYTES = mebibyte;
/** Looking costs two calls into the system; no file uses up its room in this time. */
const LOOK_MS = 50;

const zeros = new Uint8Array(STEP_BYTES);

/**
 * Keeps written room behind the used part of an LMDB file. A sync that makes a file longer has to wait for the
 * journal of the file system, and that one for whatever else it holds; a sync inside the file does not. LMDB
 * itself grows its file page by page, at every commit.
 *
 * Steps run only while no transaction does: nobody else writes to the file then, so zeros cannot meet pages.
 */
export class FileRoom {
  readonly #fd: number;
  readonly #usedBytes: () => number;
  readonly #mayGrow: () => boolean;
  #growing = true;
  #lookedAt = 0;
  #disabled = false;
  #closed = false;

  constructor(path: string, usedBytes: () => number, mayGrow: () => boolean) {
    this.#fd = openSync(join(path, 'data.mdb'), 'r+');
    this.#usedBytes = usedBytes;
    this.#mayGrow = mayGrow;
  }

  /** `soon`: at the next quiet moment. `now`: before the next transaction. */
  need(): 'none' | 'soon' | 'now' {
    if (this.#disabled || this.#closed) return 'none';
    const now = performance.now();
    if (!this.#growing && now - this.#lookedAt < LOOK_MS) return 'none';
    this.#lookedAt = now;
    const ahead = fstatSync(this.#fd).size - this.#usedBytes();
    if (ahead >= HIGH_BYTES) this.#growing = false;
    else if (ahead < LOW_BYTES) this.#growing = true;
    if (!this.#growing || !this.#mayGrow()) return 'none';
    return ahead < URGENT_BYTES ? 'now' : 'soon';
  }

  /** Adds one step and brings it to the disk, so that no commit has to. Room is a comfort: if it cannot be had, LMDB grows its file as ever. */
  grow(done: () => void): void {
    const from = Math.max(fstatSync(this.#fd).size, this.#usedBytes());
    const end = (failure: Error | null): void => {
      if (failure !== null) this.#disabled = true;
      done();
    };
    write(this.#fd, zeros, 0, STEP_BYTES, from, (failure) => {
      if (failure === null) fdatasync(this.#fd, end);
      else end(failure);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.#fd);
  }
}
