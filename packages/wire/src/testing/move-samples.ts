import { EMPTY_BYTES, utf8Encode } from '@flotilla/base';
import {
  CURSOR_BYTES_MAX,
  type FrozenFacts,
  MoveAnswer,
  type MoveEntry,
  type MoveOutcome,
  MoveStep,
} from '../move-entries.ts';
import {
  AskKind,
  type MoveQuestion,
  type MoveReply,
  type MoveStepReply,
  StepFate,
  Verdict,
} from '../move-messages.ts';

/** One of everything that moves say, with the largest numbers and the longest names that they may have. */

const top = Number.MAX_SAFE_INTEGER;
const of = { moveId: top, shard: 0xffff };
const epoch = 0xffff_ffff;
const piece = utf8Encode('a sealed piece');

export const facts: FrozenFacts = {
  revision: top,
  time: top,
  digests: { records: { hi: 0xffff_ffff, lo: 1 }, rows: { hi: 2, lo: 0xffff_fffe } },
};

export const longestCursor: Uint8Array = new Uint8Array(CURSOR_BYTES_MAX).fill(0xff);

export const steps: readonly MoveEntry[] = [
  { step: MoveStep.activateEmpty, ...of, epoch },
  { step: MoveStep.beginExport, ...of, epoch },
  { step: MoveStep.trimExport, ...of, to: top },
  { step: MoveStep.freeze, ...of, epoch, pos: top, target: 0xffff_fffe },
  { step: MoveStep.cancel, ...of },
  { step: MoveStep.forget, ...of },
  {
    step: MoveStep.beginImport,
    ...of,
    epoch,
    sourceGid: 0xffff_fffe,
    sourceIncarnation: top,
    base: top,
  },
  { step: MoveStep.importChunk, ...of, page: piece },
  { step: MoveStep.importDelta, ...of, delta: EMPTY_BYTES },
  { step: MoveStep.activate, ...of, revision: top, digests: facts.digests, time: top },
  { step: MoveStep.abort, ...of },
];

export const outcomes: readonly MoveOutcome[] = [
  { answer: MoveAnswer.active },
  { answer: MoveAnswer.stale },
  { answer: MoveAnswer.opened, r0: top },
  { answer: MoveAnswer.frozen, r0: 0, facts, delta: piece },
  { answer: MoveAnswer.closed },
  { answer: MoveAnswer.refused },
  { answer: MoveAnswer.notYet, openBytes: top, r0: 3 },
  { answer: MoveAnswer.trimmed, r0: 0 },
  { answer: MoveAnswer.cancelled },
  { answer: MoveAnswer.tooLate },
  { answer: MoveAnswer.done },
  { answer: MoveAnswer.staged, cursor: EMPTY_BYTES, isComplete: false, pos: 0 },
  { answer: MoveAnswer.digest },
  { answer: MoveAnswer.gap, cursor: longestCursor, isComplete: true, pos: top },
  { answer: MoveAnswer.aborted },
];

export const questions: readonly MoveQuestion[] = [
  { kind: AskKind.page, ...of, cursor: longestCursor, minView: top },
  { kind: AskKind.changes, ...of, from: top },
  { kind: AskKind.throttle, ...of, bytesPerSecond: top },
];

export const replies: readonly MoveReply[] = [
  { verdict: Verdict.page, openBytes: top, totalBytes: top, page: piece },
  { verdict: Verdict.changes, openBytes: 0, frozen: undefined, delta: piece },
  { verdict: Verdict.changes, openBytes: top, frozen: facts, delta: EMPTY_BYTES },
  { verdict: Verdict.noted },
  { verdict: Verdict.notSource },
  { verdict: Verdict.behind, revision: top },
  { verdict: Verdict.gone, r0: top },
  { verdict: Verdict.busy, retryAfterMs: 0xffff },
  { verdict: Verdict.noReplica },
];

export const stepReplies: readonly MoveStepReply[] = [
  ...outcomes.map((outcome) => ({ fate: StepFate.answered, outcome })),
  { fate: StepFate.notLeader, leader: '' },
  { fate: StepFate.notLeader, leader: 's'.repeat(64) },
  { fate: StepFate.overloaded, retryAfterMs: 0xffff },
  { fate: StepFate.unknown },
];
