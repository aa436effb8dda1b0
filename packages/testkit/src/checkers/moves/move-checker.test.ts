import { MoveStep } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { CheckFailure } from '../failure.ts';
import { A, B, batch, PaperGroups, SHARD } from './paper-groups.fixture.ts';

function failureOf(act: () => void): CheckFailure {
  try {
    act();
  } catch (error) {
    if (error instanceof CheckFailure) return error;
    throw error;
  }
  return expect.unreachable('no check failed');
}

const ofMove = { shard: SHARD, moveId: 20 };

describe('a move that goes as it should', () => {
  test('is found right, from the first copy to the last trace', () => {
    const groups = new PaperGroups().moved();
    groups.step(A, { step: MoveStep.forget, ...ofMove }, { state: 'absent', opened: undefined });
    expect(groups.checker.holder(SHARD)?.group).toEqual(B);
  });

  test('may be told by any replica, and by each of them again', () => {
    const groups = new PaperGroups().moved();
    const old = {
      facts: () => expect.unreachable('nobody looks'),
      digests: () => expect.unreachable('nobody looks'),
    };
    expect(groups.checker.applied(B, 1, batch(2, 0, 0), old)).toBe(false);
  });

  test('may be refused anywhere: what does not fit changes nothing', () => {
    const groups = new PaperGroups().frozen();
    groups.step(A, { step: MoveStep.cancel, ...ofMove }, {});
    groups.step(A, { step: MoveStep.freeze, shard: SHARD, moveId: 19, epoch: 2, pos: 0, target: 2 }, {});
    groups.step(B, { step: MoveStep.abort, ...ofMove, moveId: 19 }, { fence: 19 });
    groups.activate();
  });
});

describe('two groups that serve one shard', () => {
  test('are noticed where the target begins before the source ends', () => {
    const groups = new PaperGroups().copied();
    const failure = failureOf(() => groups.activate());
    expect(failure.report()).toContain('one owner: shard 3: activate of move 20');
    expect(failure.report()).toContain('serves while group 1.5 serves it');
  });

  test('are noticed where a late first assignment begins an empty copy', () => {
    const groups = new PaperGroups().moved();
    groups.step(A, { step: MoveStep.forget, ...ofMove }, { state: 'absent', opened: undefined });
    const late = { step: MoveStep.activateEmpty, shard: SHARD, moveId: 30, epoch: 3 } as const;
    const leaves = { state: 'serving', fence: 30, moveId: 30, epoch: 3, revision: 0, timeFloor: 0 } as const;
    const failure = failureOf(() => groups.step(A, late, { ...leaves, generation: groups.next(A) }));
    expect(failure.checker).toBe('one owner');
  });

  test('are noticed where the source executes after it froze', () => {
    const groups = new PaperGroups().frozen();
    const failure = failureOf(() => groups.entry(A, batch(1, 0, 0), { revision: 1 }));
    expect(failure.report()).toContain('one owner: shard 3: group 1.5 executed 1 commands of entry 4');
  });
});

describe('content', () => {
  test('is lost where the only copy is dropped', () => {
    const groups = new PaperGroups().frozen();
    const forget = { step: MoveStep.forget, ...ofMove } as const;
    const failure = failureOf(() => groups.step(A, forget, { state: 'absent', opened: undefined }));
    expect(failure.checker).toBe('content is kept');
  });

  test('differs where the target serves another sum, revision or epoch than was frozen', () => {
    expect(failureOf(() => new PaperGroups().frozen().activate({}, 2)).checker).toBe('shard content');
    const wrong = [{ revision: 1 }, { epoch: 3 }, { fence: 0 }, { timeFloor: 1_000 }, { generation: 9 }];
    for (const leaves of wrong) {
      expect(failureOf(() => new PaperGroups().frozen().activate(leaves)).checker).toBe('move steps');
    }
  });

  test('differs where the target says so itself and drops its staging', () => {
    const failure = failureOf(() => new PaperGroups().frozen().activate({ state: 'absent', fence: 0 }));
    expect(failure.checker).toBe('digest');
  });
});

describe('steps', () => {
  test('may not lower a fence, nor raise it without a reason', () => {
    const groups = new PaperGroups().copied();
    const cancel = { step: MoveStep.cancel, ...ofMove } as const;
    expect(failureOf(() => groups.step(A, cancel, { fence: 9, opened: undefined })).checker).toBe(
      'move steps',
    );
    const quiet = new PaperGroups().copied();
    expect(failureOf(() => quiet.entry(A, batch(1, 0, 0), { revision: 1, fence: 11 })).report()).toContain(
      'fence',
    );
  });

  test('may not be without effect where they fit', () => {
    const groups = new PaperGroups().copied();
    const cancel = { step: MoveStep.cancel, ...ofMove } as const;
    expect(failureOf(() => groups.step(A, cancel, {})).report()).toContain('it fits and changed nothing');
  });

  test('may not move a cursor or a position back', () => {
    const groups = new PaperGroups().copied();
    const staged = { cursor: new Uint8Array(0), isComplete: true, pos: 0 };
    const delta = { step: MoveStep.importDelta, ...ofMove, delta: new Uint8Array(0) } as const;
    groups.step(B, delta, { staged: { ...staged, pos: 4 } });
    const back = failureOf(() => groups.step(B, delta, { staged: { ...staged, pos: 3 } }));
    expect(back.report()).toContain('pos goes back from 4 to 3');
  });
});

describe('a command of a session', () => {
  test('is executed once, and not again after its shard has moved', () => {
    const groups = new PaperGroups().copied();
    groups.entry(A, batch(1, 0, 0, 1), { revision: 2 });
    groups.entry(A, batch(1, 0, 1, 2), { revision: 3 });
    const delta = { step: MoveStep.importDelta, ...ofMove, delta: new Uint8Array(0) } as const;
    groups.step(B, delta, { staged: { cursor: new Uint8Array(0), isComplete: true, pos: 3 } });
    const freeze = { step: MoveStep.freeze, ...ofMove, epoch: 2, pos: 3, target: 2 } as const;
    groups.step(A, freeze, { state: 'frozen', fence: 20, moveId: 20, timeFloor: 2_000 });
    groups.activate();
    groups.entry(B, batch(2, 0, 2), { revision: 3 });
    groups.entry(B, batch(2, 3, 3), { revision: 4 });
    // Below the floor now, whether its result is still known or not.
    groups.entry(B, batch(2, 2, 2), { revision: 4 });
    const failure = failureOf(() => groups.entry(B, batch(2, 3, 3), { revision: 5 }));
    expect(failure.report()).toContain('exactly once: shard 3: group 2.5 executed 1 commands of entry 8');
    expect(failure.report()).toContain('where their sessions allow 0');
  });

  test('is refused at another epoch than that of the shard', () => {
    const groups = new PaperGroups().moved();
    groups.entry(B, batch(1, 0, 0), {});
    expect(failureOf(() => groups.entry(B, batch(1, 0, 0), { revision: 1 })).checker).toBe('exactly once');
  });
});
