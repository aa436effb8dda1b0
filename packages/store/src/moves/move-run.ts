import type { Replica } from '@flotilla/host';
import type { DataGroup } from '@flotilla/kv';
import {
  type FrozenFacts,
  type GroupRecord,
  MoveAnswer,
  type MoveEntry,
  type MoveOutcome,
  MoveStep,
  type MoveStepReply,
  StepFate,
} from '@flotilla/wire';
import { BackOff } from './back-off.ts';
import { Copier } from './copier.ts';
import type { MoveCalls } from './move-calls.ts';
import { MoveFacts } from './move-facts.ts';
import type { MoveLog } from './move-log.ts';
import type { MoveOrder } from './move-order.ts';
import type { MoveWorld } from './move-world.ts';
import { type MoveView, nextStep, placeOf } from './next-step.ts';
import type { Place } from './pieces.ts';
import { StepProposal } from './step-proposal.ts';
import type { TokenBucket } from './token-bucket.ts';
import { WriterBrake } from './writer-brake.ts';

/** A leader that committed nothing for so long may have been replaced. */
const COMMIT_FRESH_MS = 1_000;
/** Without any progress for so long a move gives its place to others. */
const STALLED_MS = 3_000;

export interface RunParts {
  readonly world: MoveWorld;
  readonly calls: MoveCalls;
  readonly bucket: TokenBucket;
  readonly log: MoveLog;
  /** Something happened: the run wants to be stepped, but not now. */
  readonly wake: () => void;
}

/** The leader's replica of the target, and what the config says of the move now. */
export interface RunScene {
  readonly replica: Replica;
  readonly machine: DataGroup;
  readonly source: GroupRecord;
  /** The config holds back copy and freeze. */
  readonly isHeldBack: boolean;
}

/**
 * One move in the hands of its target's leader. What it does next is decided by `nextStep`; here it is done.
 * Whatever it knows besides the applied state it can lose: another leader finds out the same.
 */
export class MoveRun {
  readonly order: MoveOrder;
  readonly log: MoveLog;
  /** Nothing more will come of it as long as the config stays. */
  hasEnded = false;
  readonly #parts: RunParts;
  readonly #facts: MoveFacts;
  readonly #copier: Copier;
  readonly #brake: WriterBrake;
  readonly #backOff = new BackOff();
  #scene: RunScene;
  /** A step of this move is under way, in either group; one at a time. */
  #isStepping = false;
  #committedAtMs: number = Number.NEGATIVE_INFINITY;
  #wasComplete: boolean;

  constructor(order: MoveOrder, scene: RunScene, parts: RunParts) {
    const { world, calls, bucket, log, wake } = parts;
    this.order = order;
    this.log = log;
    this.#parts = parts;
    this.#scene = scene;
    this.#facts = new MoveFacts(log, world.now());
    this.#brake = new WriterBrake(calls);
    this.#copier = new Copier(order, {
      ...{ world, calls, bucket, wake },
      facts: this.#facts,
      propose: (piece, done) => this.#propose(piece.step, done),
    });
    const place = this.#place();
    this.#wasComplete = place?.isComplete === true;
    log.begun(place !== undefined);
  }

  get isPastFreeze(): boolean {
    return this.#facts.isPastFreeze;
  }

  isStalled(nowMs: number): boolean {
    return nowMs - this.#facts.progressAtMs > STALLED_MS;
  }

  /** It does nothing any more; what is under way changes nothing here. */
  stop(): void {
    this.hasEnded = true;
    this.#copier.stop();
  }

  /** Does what can be done now. Called after each answer and each applied entry, and by every tick. */
  step(scene: RunScene): void {
    if (this.hasEnded) return;
    this.#scene = scene;
    this.#copier.proposeHeld(scene.source);
    const next = nextStep(this.#view());
    switch (next.do) {
      case 'served':
        this.log.active(this.#facts.freezeSentAtMs, this.#now);
        this.stop();
        return;
      case 'stop':
        this.#end('target');
        return;
      case 'wait':
        this.log.problem = this.#copier.isIdle ? next.why : '';
        break;
      case 'begin-export':
        this.#beginExport();
        break;
      case 'begin-import':
        this.#beginImport(next.base);
        break;
      case 'page':
      case 'changes':
        this.#withPlace((place) => this.#copier.copy(next.do, scene.source, place));
        break;
      case 'look':
        this.#withPlace((place) => this.#copier.look(scene.source, place));
        break;
      case 'prove':
        this.#prove();
        break;
      case 'freeze':
        this.#freeze(next.pos);
        break;
      case 'activate':
        this.#activate(next.facts);
    }
    this.#holdWriters();
  }

  get #now(): number {
    return this.#parts.world.now();
  }

  #place(): Place | undefined {
    return placeOf(this.#scene.machine.shard(this.order.shard), this.order.moveId);
  }

  #withPlace(work: (place: Place) => void): void {
    const place = this.#place();
    if (place !== undefined) work(place);
  }

  #view(): MoveView {
    const { machine, replica, isHeldBack } = this.#scene;
    const shard = machine.shard(this.order.shard);
    const isComplete = placeOf(shard, this.order.moveId)?.isComplete === true;
    if (isComplete && !this.#wasComplete) this.log.copyComplete(this.#now);
    this.#wasComplete = isComplete;
    const { r0, frozen, freezeSentAtMs, isSourceUnsure } = this.#facts;
    return {
      moveId: this.order.moveId,
      ...{ shard, isHeldBack, r0, frozen, isSourceUnsure },
      freezeSent: freezeSentAtMs !== undefined,
      openBytes: this.#copier.openBytes,
      isCatchingUp: this.#copier.isCatchingUp,
      isImporting: !this.#copier.isIdle,
      holdsLease: this.#parts.world.host.isSureToLead(replica),
      hasCommitted: this.#hasCommitted,
    };
  }

  get #hasCommitted(): boolean {
    const isFresh = this.#now - this.#committedAtMs < COMMIT_FRESH_MS;
    return isFresh && this.#parts.world.rare?.take('proof-wanted') !== true;
  }

  #end(where: 'source' | 'target'): void {
    this.stop();
    this.log.closed(where);
  }

  /** Writers that are faster than the copy are held back until the freeze. */
  #holdWriters(): void {
    const writersMax = this.#copier.rounds.writersMax;
    if (writersMax === undefined || this.#scene.isHeldBack || this.isPastFreeze) return;
    const isFirst = !this.#brake.isOn;
    this.#brake.hold(this.#scene.source, this.order, writersMax, this.#now);
    if (isFirst) this.log.throttled(writersMax);
  }

  // Steps in the source

  #stepInSource(step: MoveEntry, done: (outcome: MoveOutcome) => void): boolean {
    if (this.#isStepping || !this.#backOff.isOver(this.#now)) return false;
    this.#isStepping = true;
    this.#parts.calls.step(this.#scene.source, step, (reply) => {
      this.#isStepping = false;
      if (reply === undefined) this.log.problem = `group ${this.order.source} has no leader in reach`;
      this.#stepped(reply, done);
      this.#parts.wake();
    });
    return true;
  }

  #stepped(reply: MoveStepReply | undefined, done: (outcome: MoveOutcome) => void): void {
    if (reply?.fate !== StepFate.answered) {
      this.#backOff.failed(this.#now);
      return;
    }
    this.#backOff.reset();
    if (!this.hasEnded) done(reply.outcome);
  }

  #beginExport(): void {
    const { moveId, shard, epoch } = this.order;
    this.#stepInSource({ step: MoveStep.beginExport, moveId, shard, epoch }, (outcome) => {
      this.#facts.isSourceUnsure = false;
      if (outcome.answer === MoveAnswer.opened) {
        this.#facts.opened(outcome.r0, this.#now);
      } else if (outcome.answer === MoveAnswer.frozen) {
        this.#facts.opened(outcome.r0, this.#now);
        this.#facts.sourceFroze(outcome.facts, this.#now);
      } else {
        this.#refused(outcome.answer);
      }
    });
  }

  #freeze(pos: number): void {
    const { moveId, shard, epoch, target } = this.order;
    const sentAtMs = this.#now;
    const step = { step: MoveStep.freeze, moveId, shard, epoch, pos, target } as const;
    const isSent = this.#stepInSource(step, (outcome) => {
      if (outcome.answer === MoveAnswer.frozen) {
        this.#facts.opened(outcome.r0, this.#now);
        this.#facts.sourceFroze(outcome.facts, this.#now);
        this.#takeLast(outcome.delta, outcome.facts);
        return;
      }
      this.#facts.freezeSentAtMs = undefined;
      if (outcome.answer === MoveAnswer.notYet) {
        this.#copier.notYet(this.#scene.source, outcome.openBytes);
        this.#facts.opened(outcome.r0, this.#now);
      } else {
        this.#refused(outcome.answer);
      }
    });
    if (isSent) this.#facts.freezeSentAtMs ??= sentAtMs;
  }

  #refused(answer: MoveAnswer): void {
    if (answer === MoveAnswer.closed) {
      this.#end('source');
      return;
    }
    // The source is behind the config that ordered this move, or ahead of it: either will show.
    this.#backOff.failed(this.#now);
    this.#facts.isSourceUnsure = true;
    this.log.problem = `group ${this.order.source} refuses to hand the shard over`;
  }

  // Steps in the target

  #propose(step: MoveEntry, done: (reply: MoveStepReply) => void): void {
    const { world, wake } = this.#parts;
    const { replica } = this.#scene;
    const proposal = new StepProposal({
      step,
      stamp: () => world.stampFor(replica),
      // A full disk keeps new data out, but not the last of a shard that nobody serves meanwhile.
      spares: step.step === MoveStep.activate || this.isPastFreeze,
      done: (reply) => {
        if (reply.fate === StepFate.answered) this.#committedAtMs = this.#now;
        if (reply.fate === StepFate.overloaded) this.log.problem = `group ${this.order.target} is overloaded`;
        done(reply);
        wake();
      },
    });
    world.host.propose(replica, proposal);
  }

  #stepInTarget(step: MoveEntry, done: (outcome: MoveOutcome) => void): void {
    if (this.#isStepping || !this.#backOff.isOver(this.#now)) return;
    this.#isStepping = true;
    this.#propose(step, (reply) => {
      this.#isStepping = false;
      this.#stepped(reply, done);
    });
  }

  #importStep(base: number): MoveEntry {
    const { moveId, shard, epoch } = this.order;
    const { gid: sourceGid, incarnation: sourceIncarnation } = this.#scene.source;
    return { step: MoveStep.beginImport, moveId, shard, epoch, sourceGid, sourceIncarnation, base };
  }

  #beginImport(base: number): void {
    const wasCopying = this.#place() !== undefined;
    this.#stepInTarget(this.#importStep(base), () => {
      if (this.#place()?.pos !== base) {
        this.#backOff.failed(this.#now);
        return;
      }
      this.#copier.reset();
      this.#facts.progressed(this.#now);
      if (wasCopying) this.log.restarted('the source dropped changes that the copy had not seen', base);
      else if (this.log.mismatches > 0) this.log.restarted('the digest did not fit', base);
      // A third attempt must not fail like the first two: its writers are held back from the first page on.
      if (this.log.restarts >= 2) this.#copier.rounds.holdWriters(this.log.rate(this.#now));
    });
  }

  /** A repeat that changes nothing, whatever the state: it shows that this leader still commits. */
  #prove(): void {
    this.#stepInTarget(this.#importStep(0), () => {});
  }

  #activate(facts: FrozenFacts): void {
    const { moveId, shard } = this.order;
    const { revision, digests, time } = facts;
    this.#stepInTarget({ step: MoveStep.activate, moveId, shard, revision, digests, time }, (outcome) => {
      if (outcome.answer !== MoveAnswer.digest) return;
      this.log.digestMismatch();
      // One may be damage on the way here. From the second on something is wrong that haste does not mend.
      if (this.log.mismatches > 1) this.#backOff.failed(this.#now, 500 * 2 ** (this.log.mismatches - 1));
    });
  }

  /** The last changes came with the freeze: they and the activation take one commit together. */
  #takeLast(delta: Uint8Array, facts: FrozenFacts): void {
    const place = this.#place();
    if (place === undefined || !place.isComplete) return;
    if (this.#parts.world.rare?.take('last-changes-asked-for') === true) return;
    const isAll = delta.length === 0 && place.pos === facts.revision;
    if (isAll || this.#copier.take(this.#scene.source, delta, place)) this.#activate(facts);
  }
}
