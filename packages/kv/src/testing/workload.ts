import type { Prng } from '@flotilla/base';
import { type Command, Flag, Op, sessionLimits } from '@flotilla/wire';
import { batchOf, bytes, command, sessionOf } from './rig.ts';

/** A batch that a client sent, perhaps several times. */
export interface SentBatch {
  readonly commands: readonly Command[];
  readonly session: Uint8Array;
  readonly floor: number;
}

/**
 * Clients that write to few keys with everything that a command can carry: conditions that hold and fail,
 * times to live, repeats in any order, floors that rise in between. Everything comes from the seed.
 */
export class Workload {
  readonly #random: Prng;
  readonly #shards: readonly number[];
  readonly #sent: SentBatch[] = [];
  readonly #clients: { session: Uint8Array; next: number; floor: number; openedAt: number }[] = [];
  #sessions = 0;

  constructor(random: Prng, shards: readonly number[]) {
    this.#random = random;
    this.#shards = shards;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }

  /** A new batch, or a copy of an earlier one. */
  batch(now: number): SentBatch {
    const random = this.#random;
    if (this.#sent.length > 0 && random.chance(0.25)) return this.#pick(this.#sent);
    const at = random.below(4);
    let client = this.#clients[at];
    if (client === undefined || now - client.openedAt > sessionLimits.use) {
      const openedAt = Math.max(0, now + random.below(2 * sessionLimits.skewMax) - sessionLimits.skewMax);
      client = { session: sessionOf(openedAt, this.#sessions++), next: 1, floor: 1, openedAt: now };
      this.#clients[at] = client;
    }
    if (random.chance(0.3)) client.floor += random.below(client.next - client.floor + 1);
    const commands: Command[] = [];
    for (let left = 1 + random.below(5); left > 0; left--) {
      commands.push({ ...this.#command(), seqOffset: client.next - client.floor });
      client.next++;
    }
    const sent = { commands, session: client.session, floor: client.floor };
    this.#sent.push(sent);
    if (this.#sent.length > 60) this.#sent.shift();
    return sent;
  }

  #command(): Command {
    const random = this.#random;
    const key = bytes(this.#pick(['a', 'b', 'ba', 'c', 'd', '{a}x']));
    const op = this.#pick([Op.put, Op.put, Op.append, Op.append, Op.increment, Op.delete, Op.deleteRange]);
    const part: Partial<Command> = { op, key, shard: this.#pick(this.#shards) };
    if (random.chance(0.03)) part.epoch = random.below(4);
    if (random.chance(0.02)) part.key = bytes('');
    if (op === Op.deleteRange) return command({ ...part, ...this.#range() });
    const number = String(random.below(2000) - 1000);
    if (op === Op.increment) part.value = bytes(random.chance(0.9) ? number : 'nothing');
    else if (op !== Op.delete)
      part.value = bytes(random.chance(0.6) ? number : 'v'.repeat(random.below(200)));
    let flags = 0;
    if (random.chance(0.1)) flags |= Flag.ifAbsent;
    if (random.chance(0.1)) flags |= Flag.ifPresent;
    if (random.chance(0.1)) flags |= Flag.ifVersion;
    if (random.chance(0.05)) flags |= Flag.ifValue;
    if (random.chance(0.2)) flags |= Flag.ttl;
    part.flags = flags;
    part.version = (flags & Flag.ifVersion) !== 0 ? random.below(30) : 0;
    if ((flags & Flag.ifValue) !== 0) part.expected = bytes(number);
    if ((flags & Flag.ttl) !== 0) part.ttl = random.below(5000);
    return command(part);
  }

  #range(): Partial<Command> {
    const random = this.#random;
    const part: Partial<Command> = {
      key: bytes(this.#pick(['', 'a', 'b'])),
      value: bytes(this.#pick(['', 'b', 'c'])),
    };
    return random.chance(0.5) ? { ...part, flags: Flag.ttl, ttl: random.below(4) } : part;
  }
}

export function encode(sent: SentBatch): Uint8Array {
  return batchOf(sent.commands, sent.session, sent.floor);
}
