import { compareBytes } from '@flotilla/base';
import { type MoveEntry, MoveStep } from '@flotilla/wire';
import { differences, type ShardFacts } from './shard-facts.ts';

/**
 * What a step of a move does to a shard of the group in whose log it stands, told a second time and apart from
 * the state machine: when it must fit, when it must not, and what it leaves. Where that depends on more than
 * these facts (bytes that are open, a checksum, a cursor), both ways are right.
 */

type Of<S extends MoveStep> = Extract<MoveEntry, { step: S }>;

interface Rule<S extends MoveStep> {
  /** `maybe`: it depends on what these facts do not tell. */
  readonly fits: (before: ShardFacts, step: Of<S>) => boolean | 'maybe';
  /** How the facts look afterwards; fields that are left out stay. */
  readonly leaves: (before: ShardFacts, step: Of<S>, index: number) => Partial<ShardFacts>;
  /** What those fields cannot say. Returns what is wrong. */
  readonly also?: (before: ShardFacts, after: ShardFacts, step: Of<S>) => string | undefined;
}

const rules: { readonly [S in MoveStep]: Rule<S> } = {
  [MoveStep.activateEmpty]: {
    fits: (before, { moveId }) => before.state === 'absent' && moveId > before.fence,
    leaves: (_before, { moveId, epoch }, index) => ({
      state: 'serving',
      fence: moveId,
      moveId,
      epoch,
      generation: index,
      revision: 0,
      timeFloor: 0,
    }),
  },
  [MoveStep.beginExport]: {
    fits: (before, { moveId, epoch }) =>
      before.state === 'serving' &&
      moveId > before.fence &&
      epoch === before.epoch + 1 &&
      (before.opened?.moveId ?? 0) < moveId,
    leaves: (before, { moveId }) => ({ opened: { moveId, r0: before.revision } }),
  },
  [MoveStep.trimExport]: {
    fits: (before, { moveId, to }) =>
      before.state === 'serving' &&
      before.opened?.moveId === moveId &&
      before.opened.r0 < to &&
      to <= before.revision,
    leaves: (before, { to }) => ({ opened: before.opened && { ...before.opened, r0: to } }),
  },
  [MoveStep.freeze]: {
    fits: (before, { moveId, epoch, pos }) =>
      before.state === 'serving' &&
      moveId > before.fence &&
      epoch === before.epoch + 1 &&
      before.opened?.moveId === moveId &&
      before.opened.r0 <= pos &&
      pos <= before.revision &&
      'maybe',
    leaves: (_before, { moveId }) => ({ state: 'frozen', fence: moveId, moveId }),
    also: (before, after) =>
      after.timeFloor < before.timeFloor ? 'the time of the shard goes back' : undefined,
  },
  [MoveStep.cancel]: {
    fits: (before, { moveId }) => before.state === 'serving' && moveId > before.fence,
    leaves: (before, { moveId }) => ({ fence: moveId, opened: keptAbove(before, moveId) }),
  },
  [MoveStep.forget]: {
    fits: (before, { moveId }) => before.state === 'frozen' && before.moveId === moveId,
    leaves: () => ({ state: 'absent' }),
  },
  [MoveStep.beginImport]: {
    fits: (before, { moveId, base }) => {
      if (moveId <= before.fence) return false;
      if (before.state === 'absent') return true;
      if (before.state === 'serving') return false;
      if (before.moveId < moveId) return true;
      return before.state === 'importing' && before.moveId === moveId && base > (before.staged?.pos ?? 0);
    },
    leaves: (_before, { moveId, epoch, base }, index) => ({
      state: 'importing',
      moveId,
      epoch,
      generation: index,
      opened: undefined,
      staged: { cursor: new Uint8Array(0), isComplete: false, pos: base },
    }),
  },
  [MoveStep.importChunk]: {
    fits: (before, { moveId }) =>
      before.state === 'importing' &&
      before.moveId === moveId &&
      before.staged?.isComplete === false &&
      'maybe',
    leaves: (_before, _step) => ({}),
    also: (before, after) => {
      const [was, is] = [before.staged, after.staged];
      if (was === undefined || is === undefined) return 'the staging is gone';
      if (was.pos !== is.pos) return `pos goes from ${was.pos} to ${is.pos} with a page`;
      const goesOn = is.isComplete || compareBytes(was.cursor, is.cursor) < 0;
      return goesOn ? undefined : 'the cursor goes back';
    },
  },
  [MoveStep.importDelta]: {
    fits: (before, { moveId }) => before.state === 'importing' && before.moveId === moveId && 'maybe',
    leaves: () => ({}),
    also: (before, after) => {
      const [was, is] = [before.staged, after.staged];
      if (was === undefined || is === undefined) return 'the staging is gone';
      if (is.pos <= was.pos) return `pos goes back from ${was.pos} to ${is.pos}`;
      const sameCursor = compareBytes(was.cursor, is.cursor) === 0 && was.isComplete === is.isComplete;
      return sameCursor ? undefined : 'the cursor moves with changes';
    },
  },
  [MoveStep.activate]: {
    fits: (before, { moveId, revision }) =>
      before.state === 'importing' &&
      before.moveId === moveId &&
      before.staged?.isComplete === true &&
      before.staged.pos === revision,
    leaves: (_before, { moveId, revision, time }) => ({
      state: 'serving',
      fence: moveId,
      moveId,
      revision,
      timeFloor: time,
      staged: undefined,
    }),
  },
  [MoveStep.abort]: {
    fits: (before, { moveId }) => {
      const served = before.state === 'serving' && before.moveId === moveId;
      return moveId > before.fence && !served;
    },
    leaves: (before, { moveId }) => {
      const isStaged = before.state === 'importing' && before.moveId <= moveId;
      const opened = keptAbove(before, moveId);
      return isStaged ? { state: 'absent', fence: moveId, staged: undefined } : { fence: moveId, opened };
    },
  },
};

/** A fence drops the export of every move that it closes. */
function keptAbove(before: ShardFacts, moveId: number): ShardFacts['opened'] {
  return before.opened !== undefined && before.opened.moveId > moveId ? before.opened : undefined;
}

/** What is wrong with the effect of a step; undefined if nothing is. */
export function judgeStep<S extends MoveStep>(
  before: ShardFacts,
  after: ShardFacts,
  step: Of<S>,
  index: number,
): string | undefined {
  const rule = rules[step.step as S] as Rule<S>;
  const fits = rule.fits(before, step);
  const changed = differences(before, after);
  if (changed.length === 0) return fits === true ? 'it fits and changed nothing' : undefined;
  if (fits === false) return `it does not fit and changed ${changed.join(', ')}`;
  const expected: ShardFacts = { ...before, ...rule.leaves(before, step, index) };
  const wrong = differences(expected, after).filter(
    (name) => rule.also === undefined || !judged(step.step, name),
  );
  if (wrong.length > 0) return `it leaves another ${wrong.join(', ')} than it must`;
  return rule.also?.(before, after, step);
}

/** Fields whose outcome only `also` can judge. */
function judged(step: MoveStep, name: string): boolean {
  if (step === MoveStep.freeze) return name === 'timeFloor';
  return name === 'staging';
}
