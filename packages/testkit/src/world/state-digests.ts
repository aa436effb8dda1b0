import { compareBytes, prefixEnd, Reader, startsWithBytes } from '@flotilla/base';

/**
 * Digests of the applied state of every replica generation in one state store: sums of the hashes of all
 * items, so that order does not matter and a change costs one item. Keys begin with 16 bytes that name group
 * and generation; the byte after them separates the host's own record (0) from the state machine's keys.
 */

const PREFIX_BYTES = 16;
const GID_NONE = 0xffff_ffff;

export interface Generation {
  readonly prefix: Uint8Array;
  readonly gid: number;
  readonly incarnation: number;
  readonly generation: number;
  high: number;
  low: number;
  /** From the host's record; undefined before it was written. */
  appliedIndex: number | undefined;
  /** Changed since it was last compared. */
  isDirty: boolean;
}

export class StateDigests {
  readonly #generations: Generation[] = [];
  #last: Generation | undefined;

  /** The item under `key` changes from `old` to `value`; undefined for absent. */
  change(key: Uint8Array, old: Uint8Array | undefined, value: Uint8Array | undefined): void {
    const generation = this.#of(key);
    if (generation === undefined) return;
    generation.isDirty = true;
    if (key[PREFIX_BYTES] === 0) {
      if (value !== undefined) generation.appliedIndex = appliedIndexOf(value);
      return;
    }
    if (old !== undefined) add(generation, key, old, -1);
    if (value !== undefined) add(generation, key, value, 1);
  }

  /** True if [from, to) covers whole generations only; those are forgotten. */
  drop(from: Uint8Array, to: Uint8Array): boolean {
    let isWhole = true;
    for (const generation of [...this.#generations]) {
      const end = prefixEnd(generation.prefix);
      const isOutside =
        end !== undefined && (compareBytes(end, from) <= 0 || compareBytes(to, generation.prefix) <= 0);
      if (isOutside) continue;
      const isInside =
        compareBytes(from, generation.prefix) <= 0 && end !== undefined && compareBytes(end, to) <= 0;
      if (!isInside) isWhole = false;
      else this.#forget(generation);
    }
    return isWhole;
  }

  /** Generations that changed since the last call. */
  takeDirty(): readonly Generation[] {
    const dirty = this.#generations.filter((generation) => generation.isDirty);
    for (const generation of dirty) generation.isDirty = false;
    return dirty;
  }

  find(gid: number, incarnation: number, generation: number): Generation | undefined {
    return this.#generations.find(
      (each) => each.gid === gid && each.incarnation === incarnation && each.generation === generation,
    );
  }

  #of(key: Uint8Array): Generation | undefined {
    if (this.#last !== undefined && startsWithBytes(key, this.#last.prefix)) return this.#last;
    if (key.length <= PREFIX_BYTES) return undefined;
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    const gid = view.getUint32(0);
    if (gid === GID_NONE) return undefined;
    const incarnation = view.getUint32(4) * 0x1_0000_0000 + view.getUint32(8);
    const generation = view.getUint32(12);
    let found = this.find(gid, incarnation, generation);
    if (found === undefined) {
      found = {
        prefix: key.slice(0, PREFIX_BYTES),
        gid,
        incarnation,
        generation,
        high: 0,
        low: 0,
        appliedIndex: undefined,
        isDirty: true,
      };
      this.#generations.push(found);
    }
    this.#last = found;
    return found;
  }

  #forget(generation: Generation): void {
    this.#generations.splice(this.#generations.indexOf(generation), 1);
    if (this.#last === generation) this.#last = undefined;
  }
}

/** The host's record begins with its format and the applied index. */
function appliedIndexOf(record: Uint8Array): number {
  const from = new Reader(record);
  from.skip(1);
  return from.u53();
}

function add(generation: Generation, key: Uint8Array, value: Uint8Array, sign: 1 | -1): void {
  let high = 0x811c9dc5 ^ value.length;
  let low = 0x9e3779b1 ^ key.length;
  for (let at = PREFIX_BYTES; at < key.length; at++) {
    high = Math.imul(high ^ (key[at] as number), 0x01000193);
    low = Math.imul(low + (key[at] as number), 0x85ebca77);
  }
  for (let at = 0; at < value.length; at++) {
    high = Math.imul(high ^ (value[at] as number), 0x01000193);
    low = Math.imul(low + (value[at] as number), 0x85ebca77) ^ (low >>> 15);
  }
  generation.high = (generation.high + Math.imul(high ^ (high >>> 15), sign)) | 0;
  generation.low = (generation.low + Math.imul(low ^ (low >>> 13), sign)) | 0;
}
