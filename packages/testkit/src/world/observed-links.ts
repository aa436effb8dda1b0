import { type Prng, Reader, type StoreId } from '@flotilla/base';
import type { Lane, PeerHandler, PeerLinks, Timers, Urgency } from '@flotilla/ports';
import { FrameKind, readBeats, readRaftMessage } from '@flotilla/wire';
import type { StoreWatch } from './store-watch.ts';

/** What happens to frames of one kind on their way, whatever connection carries them. */
export interface FrameFaults {
  loss: number;
  doubles: number;
  late: number;
}

/** Only these and those of moves may be lost or doubled inside a working connection; streams rest on it. */
const consensus: ReadonlySet<number> = new Set([
  FrameKind.raft,
  FrameKind.beat,
  FrameKind.beatAck,
  FrameKind.voteRefusal,
]);

/** On both lanes: nothing in a move may depend on the fate or the age of a message. */
const ofMoves: ReadonlySet<number> = new Set([
  FrameKind.moveAsk,
  FrameKind.moveReply,
  FrameKind.moveStep,
  FrameKind.moveStepReply,
]);

const ofConfigs: ReadonlySet<number> = new Set([FrameKind.config, FrameKind.configDelta]);

const LATE_MS_MAX = 60;
/** A late frame of a move may come when the move is over and the next one under way. */
const AGED_CHANCE = 0.3;
const AGED_MS_MAX = 6_000;

export interface ObservedLinksParts {
  readonly inner: PeerLinks;
  readonly watch: StoreWatch;
  readonly faults: FrameFaults;
  readonly moveFaults: FrameFaults;
  /** Who gets no configs, by the name of the fault. */
  readonly deaf: ReadonlyMap<string, string>;
  readonly random: Prng;
  readonly timers: Timers;
}

/** The links of one store: the checker sees what the store sends, and the world may lose, double or delay it. */
export class ObservedLinks implements PeerLinks {
  readonly #parts: ObservedLinksParts;

  constructor(parts: ObservedLinksParts) {
    this.#parts = parts;
  }

  send(storeId: StoreId, lane: Lane, kind: number, body: Uint8Array, urgency: Urgency): boolean {
    const { inner, random, timers, deaf } = this.#parts;
    if (deaf.size > 0 && ofConfigs.has(kind) && [...deaf.values()].includes(storeId)) return true;
    const faults = this.#faultsOf(kind);
    if (consensus.has(kind)) this.#observe(kind, body);
    if (faults === undefined || (faults.loss === 0 && faults.doubles === 0 && faults.late === 0)) {
      return inner.send(storeId, lane, kind, body, urgency);
    }
    const again = (): void => {
      const kept = body.slice();
      const isAged = faults === this.#parts.moveFaults && random.chance(AGED_CHANCE);
      const delayMs = random.unit() * (isAged ? AGED_MS_MAX : LATE_MS_MAX);
      timers.set(delayMs, () => inner.send(storeId, lane, kind, kept, urgency));
    };
    if (random.chance(faults.doubles)) again();
    if (random.chance(faults.loss)) return true;
    if (!random.chance(faults.late)) return inner.send(storeId, lane, kind, body, urgency);
    again();
    return true;
  }

  #faultsOf(kind: number): FrameFaults | undefined {
    if (consensus.has(kind)) return this.#parts.faults;
    return ofMoves.has(kind) ? this.#parts.moveFaults : undefined;
  }

  #observe(kind: number, body: Uint8Array): void {
    const { watch } = this.#parts;
    if (kind === FrameKind.raft) {
      const from = new Reader(body);
      while (from.remaining > 0) {
        const { group, message } = readRaftMessage(from);
        watch.find(group)?.sends(message);
      }
    } else if (kind === FrameKind.beat) {
      for (const beat of readBeats(body).beats) watch.find(beat.group)?.leads(beat.term);
    }
  }

  bind(handler: PeerHandler): void {
    this.#parts.inner.bind(handler);
  }

  isUp(storeId: StoreId): boolean {
    return this.#parts.inner.isUp(storeId);
  }

  clusterOf(storeId: StoreId): string | undefined {
    return this.#parts.inner.clusterOf(storeId);
  }

  queuedBytes(storeId: StoreId, lane: Lane): number {
    return this.#parts.inner.queuedBytes(storeId, lane);
  }

  want(storeIds: readonly StoreId[]): void {
    this.#parts.inner.want(storeIds);
  }

  learn(storeId: StoreId, address: string, version: number): void {
    this.#parts.inner.learn(storeId, address, version);
  }

  addressOf(storeId: StoreId): string | undefined {
    return this.#parts.inner.addressOf(storeId);
  }

  knownStores(): readonly StoreId[] {
    return this.#parts.inner.knownStores();
  }

  clockOffsetMs(storeId: StoreId): number | undefined {
    return this.#parts.inner.clockOffsetMs(storeId);
  }
}
