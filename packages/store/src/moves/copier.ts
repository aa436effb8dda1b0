import type { StoreId } from '@flotilla/base';
import {
  AskKind,
  type GroupRecord,
  type MoveQuestion,
  type MoveReply,
  MoveStep,
  type MoveStepReply,
  StepFate,
  Verdict,
} from '@flotilla/wire';
import { CopyLine } from './copy-line.ts';
import type { MoveCalls } from './move-calls.ts';
import type { MoveFacts } from './move-facts.ts';
import type { MoveOrder } from './move-order.ts';
import type { MoveWorld } from './move-world.ts';
import { type Misfit, type Piece, type Place, pieceOfDelta, pieceOfPage } from './pieces.ts';
import { Rounds } from './rounds.ts';
import { Sources } from './sources.ts';
import type { TokenBucket } from './token-bucket.ts';

/** How long a store is left alone that could not answer … */
const BEHIND_MS = 20;
/** … and one that did not, or holds no replica. */
const SILENT_MS = 1_000;
/** A move that is held back, or waits for its pace, looks so often whether its source is frozen. */
const LOOK_MS = 1_000;

export interface CopierParts {
  readonly world: MoveWorld;
  readonly calls: MoveCalls;
  /** What all moves into this store may copy together. */
  readonly bucket: TokenBucket;
  readonly facts: MoveFacts;
  /** Puts a piece into the target's log; what became of it comes back later, or at once. */
  readonly propose: (piece: Piece, done: (reply: MoveStepReply) => void) => void;
  /** Something happened: the run wants to be stepped, but not now. */
  readonly wake: () => void;
}

/**
 * Brings pages and changes from the source into the target's log: one question at a time, each from where the
 * last answer ends, while up to four answers are being committed and applied.
 */
export class Copier {
  /** Whether the writers are faster than this copy. */
  readonly rounds: Rounds = new Rounds();
  /** What is open in the source beyond what was asked for, as it said last. */
  openBytes: number | undefined;
  /** Too much is open to leave it to the end: changes come before the next page. */
  isCatchingUp = false;
  readonly #order: MoveOrder;
  readonly #parts: CopierParts;
  readonly #line: CopyLine;
  readonly #sources: Sources;
  /** Who said what is open. */
  #toldBy: StoreId | undefined;
  /** Who read the piece that is held; undefined if it came another way. */
  #heldFrom: StoreId | undefined;
  #isAsking = false;
  #isStopped = false;
  #askAfterMs = 0;
  #lookAfterMs = 0;
  /** When the source answered last. */
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #trimmable = 0;

  constructor(order: MoveOrder, parts: CopierParts) {
    this.#order = order;
    this.#parts = parts;
    const { storeId, links, rare } = parts.world;
    this.#line = new CopyLine(rare);
    this.#sources = new Sources(storeId, (id) => links.isUp(id), rare);
  }

  /** Nothing is on its way into the target's log. */
  get isIdle(): boolean {
    return this.#line.isIdle;
  }

  /** The copy begins again, from another base. */
  reset(): void {
    this.#line.reset();
    this.rounds.restart();
    this.openBytes = undefined;
    this.isCatchingUp = false;
    this.#trimmable = 0;
  }

  /** Answers that are still to come change nothing any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * The source's leader does not freeze, since so much is open. A replica that said less has not heard of it, and
   * may not for a long time: to ask it again, and then for the freeze again, would go round for ever.
   */
  notYet(source: GroupRecord, openBytes: number): void {
    const { calls, world } = this.#parts;
    this.openBytes = openBytes;
    const told = this.#toldBy;
    if (told === undefined || told === calls.leaderOf(source)) return;
    this.#sources.avoid(told, world.now() + SILENT_MS);
  }

  /** What arrived and had no room may have some now. */
  proposeHeld(source: GroupRecord): void {
    const piece = this.#line.takeHeld();
    const from = this.#heldFrom;
    if (piece !== undefined) this.#parts.propose(piece, (reply) => this.#settled(source, from, piece, reply));
  }

  /** Asks for the next piece, unless enough is on its way. */
  copy(kind: 'page' | 'changes', source: GroupRecord, applied: Place): void {
    const { facts, bucket, world } = this.#parts;
    if (!this.#line.hasRoom) return;
    const place = this.#line.end(applied);
    // The last page, or the last changes, may be on their way already: a question about nothing, answered by
    // this very store, would be repeated without end.
    if (place === undefined || (kind === 'page' && place.isComplete)) return;
    if (kind === 'changes' && place.pos === facts.frozen?.revision) return;
    if (!facts.isPastFreeze && !bucket.allows(world.now())) {
      // It waits for its turn, not for its source.
      facts.progressed(world.now());
      // A leader before this one may have frozen the source, which nobody serves then: no pace may hold that up.
      if (world.now() - this.#answeredAtMs >= LOOK_MS) this.look(source, applied);
      return;
    }
    const { moveId, shard } = this.#order;
    const question: MoveQuestion =
      kind === 'page'
        ? { kind: AskKind.page, moveId, shard, cursor: place.cursor, minView: place.pos }
        : { kind: AskKind.changes, moveId, shard, from: place.pos };
    this.#ask(source, question, (storeId, reply) => this.#answered(source, storeId, place, reply));
  }

  /** Only looks whether the source is frozen, now and then. */
  look(source: GroupRecord, applied: Place): void {
    const nowMs = this.#parts.world.now();
    if (nowMs < this.#lookAfterMs) return;
    this.#lookAfterMs = nowMs + LOOK_MS;
    const { moveId, shard } = this.#order;
    this.#ask(source, { kind: AskKind.changes, moveId, shard, from: applied.pos }, (storeId, reply) => {
      if (reply?.verdict !== Verdict.changes) this.#avoid(source, storeId, reply);
      else if (reply.frozen !== undefined) this.#parts.facts.sourceFroze(reply.frozen, nowMs);
      // One that is cut off from its leader never hears of the freeze: all are looked at, in turn.
      else this.#sources.avoid(storeId, nowMs + source.replicas.length * LOOK_MS);
    });
  }

  /** Takes changes that came another way. False if they do not fit, or others are on their way. */
  take(source: GroupRecord, delta: Uint8Array, applied: Place): boolean {
    if (!this.#line.isIdle) return false;
    const piece = pieceOfDelta(delta, applied, this.#order, this.#parts.world.hasher);
    if (typeof piece === 'string') return false;
    this.#line.hold(piece);
    this.#heldFrom = undefined;
    this.proposeHeld(source);
    return true;
  }

  #ask(
    source: GroupRecord,
    question: MoveQuestion,
    done: (storeId: StoreId, reply: MoveReply | undefined) => void,
  ): void {
    const { calls, wake, world, facts } = this.#parts;
    const nowMs = world.now();
    if (this.#isAsking || nowMs < this.#askAfterMs) return;
    const storeId = this.#sources.pick(source.replicas, calls.leaderOf(source), nowMs);
    if (storeId === undefined) {
      facts.log.problem = `no replica of group ${source.gid} can be asked for the shard`;
      return;
    }
    this.#isAsking = true;
    calls.ask(storeId, source, question, (reply) => {
      this.#isAsking = false;
      if (this.#isStopped) return;
      done(storeId, reply);
      wake();
    });
  }

  #answered(source: GroupRecord, storeId: StoreId, place: Place, reply: MoveReply | undefined): void {
    const { bucket, facts, world } = this.#parts;
    this.#answeredAtMs = world.now();
    switch (reply?.verdict) {
      case Verdict.page:
        bucket.take(reply.page.length);
        facts.log.totalBytes = reply.totalBytes;
        this.#told(storeId, reply.openBytes);
        if (reply.openBytes > world.tuning.catchUpBytes || world.rare?.take('catch-up-first') === true) {
          this.isCatchingUp = true;
        }
        this.#arrived(source, storeId, pieceOfPage(reply.page, place, this.#order, world.hasher));
        return;
      case Verdict.changes:
        this.#tookChanges(source, storeId, place, reply);
        return;
      case Verdict.gone:
        facts.opened(reply.r0, world.now());
        return;
      default:
        this.#avoid(source, storeId, reply);
    }
  }

  #told(storeId: StoreId, openBytes: number): void {
    this.openBytes = openBytes;
    this.#toldBy = storeId;
  }

  #tookChanges(
    source: GroupRecord,
    storeId: StoreId,
    place: Place,
    reply: Extract<MoveReply, { verdict: typeof Verdict.changes }>,
  ): void {
    const { bucket, facts, world } = this.#parts;
    const nowMs = world.now();
    bucket.take(reply.delta.length);
    this.#told(storeId, reply.openBytes);
    this.rounds.told(reply.delta.length + reply.openBytes, nowMs);
    if (reply.openBytes <= world.tuning.caughtUpBytes) this.isCatchingUp = false;
    if (reply.frozen !== undefined) facts.sourceFroze(reply.frozen, nowMs);
    if (reply.delta.length > 0) {
      this.#arrived(source, storeId, pieceOfDelta(reply.delta, place, this.#order, world.hasher));
      return;
    }
    this.isCatchingUp = false;
    facts.progressed(nowMs);
    // This replica has no more, and more is to come: another one may have it.
    const isBehind = facts.frozen !== undefined && place.pos < facts.frozen.revision;
    if (isBehind) this.#sources.avoid(storeId, nowMs + BEHIND_MS);
  }

  /** Why a store is asked later, and whom to ask instead. */
  #avoid(source: GroupRecord, storeId: StoreId, reply: MoveReply | undefined): void {
    const nowMs = this.#parts.world.now();
    const isAnswer = reply !== undefined && reply.verdict !== Verdict.noReplica;
    const isBusy = reply?.verdict === Verdict.busy;
    this.#sources.avoid(storeId, nowMs + (isBusy ? reply.retryAfterMs : isAnswer ? BEHIND_MS : SILENT_MS));
    // A follower may just not have heard of the export yet. The leader has.
    const isLeader = storeId === this.#parts.calls.leaderOf(source);
    if (isLeader && reply?.verdict === Verdict.notSource) this.#parts.facts.isSourceUnsure = true;
  }

  #arrived(source: GroupRecord, storeId: StoreId, piece: Piece | Misfit): void {
    if (typeof piece !== 'string') {
      this.#line.hold(piece);
      this.#heldFrom = storeId;
      this.proposeHeld(source);
      return;
    }
    const { facts, world } = this.#parts;
    if (piece === 'damaged') facts.log.damaged(storeId);
    this.#sources.avoid(storeId, world.now() + BEHIND_MS);
  }

  #settled(source: GroupRecord, from: StoreId | undefined, piece: Piece, reply: MoveStepReply): void {
    const { facts, world } = this.#parts;
    if (reply.fate === StepFate.overloaded) this.#askAfterMs = world.now() + reply.retryAfterMs;
    if (!this.#line.settled(piece, reply)) {
      // The target found fault with an item, which a sound checksum around it does not show.
      const isRefused = reply.fate === StepFate.answered && from !== undefined;
      if (isRefused) this.#sources.avoid(from, world.now() + SILENT_MS);
      return;
    }
    facts.log.took(piece.bytes, world.now());
    facts.progressed(world.now());
    if (piece.step.step !== MoveStep.importDelta) return;
    this.rounds.took(piece.bytes);
    this.#trimmable += piece.bytes;
    const isMuch = this.#trimmable >= world.tuning.trimBytes || world.rare?.take('trim-at-once') === true;
    if (isMuch && !facts.isPastFreeze) this.#trim(source, piece.after.pos);
  }

  /** What is applied in the target is never asked for again, so the source need not remember it. */
  #trim(source: GroupRecord, to: number): void {
    const { moveId, shard } = this.#order;
    this.#trimmable = 0;
    this.#parts.calls.step(source, { step: MoveStep.trimExport, moveId, shard, to }, () => {});
  }
}
