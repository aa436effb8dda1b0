import { type GroupName, groupNameText, Reader } from '@flotilla/base';
import {
  EntryBody,
  type EntryHead,
  type MoveEntry,
  MoveStep,
  readEntryHead,
  readMoveEntry,
  readTimeBody,
  type ShardDigests,
} from '@flotilla/wire';
import { stepName } from '../../world/fault-words.ts';
import { CheckFailure } from '../failure.ts';
import { SessionModel } from './session-model.ts';
import { differences, factsWords, NOTHING_KNOWN, type ShardFacts } from './shard-facts.ts';
import { judgeStep } from './step-rules.ts';

/** The state machine of a replica right after it applied an entry. */
export interface AppliedState {
  facts(shard: number): ShardFacts;
  /** Of a copy that is there. */
  digests(shard: number): ShardDigests;
}

/** What the furthest replica of a group has applied: its log decides, however few know of it. */
interface Group {
  readonly name: string;
  readonly group: GroupName;
  index: number;
  stamp: number;
  readonly shards: Map<number, ShardFacts>;
}

/** Content in its final state, as the source's log says. */
interface Frozen {
  readonly by: number;
  readonly revision: number;
  readonly time: number;
  readonly digests: ShardDigests;
}

/** One shard through all groups. */
interface Life {
  /** Who has the content of now: it serves, or it froze it and nobody serves yet. */
  readonly holder: Group;
  readonly frozen: Frozen | undefined;
}

/**
 * Moves of shards, seen from the logs of all groups at once. For each entry, as its first replica applies it:
 *
 * - a step does what its rule says, and nothing where it does not fit; fences never fall;
 * - at most one group serves a shard, and some group always has its content: a target activates what its source
 *   froze, at the same revision, with the same digests, the time not going back, at the next epoch;
 * - only the group that serves executes commands; revisions go on without a break over all groups;
 * - a command of a session is executed once, wherever it is sent again.
 */
export class MoveChecker {
  readonly #groups = new Map<string, Group>();
  readonly #lives = new Map<number, Life>();
  readonly #sessions = new SessionModel();
  /** Hears of each step that changed something. */
  onStep: (step: MoveEntry, before: ShardFacts, after: ShardFacts) => void = () => {};
  /** Hears of each batch of a client of which every command was executed. */
  onExecuted: (entry: Uint8Array) => void = () => {};

  /** A replica applied that entry. True if it was the first of its group. */
  applied(name: GroupName, index: number, entry: Uint8Array, state: AppliedState): boolean {
    const group = this.#group(name);
    if (index <= group.index) return false;
    group.index = index;
    // Raft's own entries are empty.
    if (entry.length === 0) return true;
    const head = readEntryHead(entry);
    group.stamp = Math.max(group.stamp, head.stamp);
    if (head.kind === EntryBody.clientBatch) this.#batch(group, entry, head, state);
    if (head.kind === EntryBody.time) this.#time(group, entry, head, state);
    if (head.kind === EntryBody.move) this.#step(group, entry, head, state);
    return true;
  }

  /** As far as any replica of that group has applied. */
  facts(name: GroupName, shard: number): ShardFacts {
    return this.#groups.get(groupNameText(name))?.shards.get(shard) ?? NOTHING_KNOWN;
  }

  /** The group that has the content of now, and whether it serves it; undefined before the first assignment. */
  holder(shard: number): { readonly group: GroupName; readonly facts: ShardFacts } | undefined {
    const life = this.#lives.get(shard);
    if (life === undefined) return undefined;
    const facts = life.holder.shards.get(shard) ?? NOTHING_KNOWN;
    return { group: life.holder.group, facts };
  }

  #group(name: GroupName): Group {
    const text = groupNameText(name);
    let group = this.#groups.get(text);
    if (group === undefined) {
      group = { name: text, group: name, index: 0, stamp: 0, shards: new Map() };
      this.#groups.set(text, group);
    }
    return group;
  }

  #batch(group: Group, entry: Uint8Array, head: EntryHead, state: AppliedState): void {
    const executed = this.#sessions.apply(entry, head, group.stamp, (shard) => {
      const { state, epoch, timeFloor } = group.shards.get(shard) ?? NOTHING_KNOWN;
      return { epoch: state === 'serving' ? epoch : undefined, timeFloor };
    });
    let total = 0;
    for (const [shard, count] of executed) {
      total += count;
      const before = group.shards.get(shard) ?? NOTHING_KNOWN;
      const after = state.facts(shard);
      const expected = { ...before, revision: before.revision + count };
      this.#expectOnly(group, shard, expected, after, () => {
        const did = after.revision - before.revision;
        return `executed ${did} commands of entry ${group.index} where their sessions allow ${count}`;
      });
      group.shards.set(shard, after);
    }
    if (total === head.count) this.onExecuted(entry);
  }

  #time(group: Group, entry: Uint8Array, head: EntryHead, state: AppliedState): void {
    for (const { shard } of readTimeBody(new Reader(entry, head.bodyAt))) {
      const before = group.shards.get(shard) ?? NOTHING_KNOWN;
      const after = state.facts(shard);
      const took = before.state === 'serving' && after.revision === before.revision + 1;
      const expected = took ? { ...before, revision: after.revision } : before;
      this.#expectOnly(group, shard, expected, after, () => `changed with the time entry ${group.index}`);
      group.shards.set(shard, after);
    }
  }

  #expectOnly(
    group: Group,
    shard: number,
    expected: ShardFacts,
    after: ShardFacts,
    what: () => string,
  ): void {
    const changed = differences(expected, after);
    // Also where a staging counts them: a command has no business there.
    const executes = after.revision !== expected.revision;
    if (changed.length === 0 && !executes) return;
    if (executes) {
      const rule = expected.state === 'serving' ? 'exactly once' : 'one owner';
      this.#fail(rule, shard, `group ${group.name} ${what()}`);
    }
    const names = changed.join(', ');
    this.#fail('move steps', shard, `group ${group.name} changed its ${names} with entry ${group.index}`);
  }

  #step(group: Group, entry: Uint8Array, head: EntryHead, state: AppliedState): void {
    const step = readMoveEntry(new Reader(entry, head.bodyAt));
    const { shard } = step;
    const before = group.shards.get(shard) ?? NOTHING_KNOWN;
    const after = state.facts(shard);
    const words = `${stepName(step.step)} of move ${step.moveId} in group ${group.name}, entry ${group.index}`;
    if (step.step === MoveStep.activate && before.state === 'importing' && after.state === 'absent') {
      this.#fail('digest', shard, `${words}: what was copied is not what the source froze`);
    }
    const wrong = judgeStep(before, after, step, group.index);
    if (wrong !== undefined) {
      const states = `it was ${factsWords(before)} and is ${factsWords(after)}`;
      this.#fail('move steps', shard, `${words}: ${wrong}; ${states}`);
    }
    if (differences(before, after).length === 0) return;
    group.shards.set(shard, after);
    this.#follow(group, step, words, before, after, state);
    this.onStep(step, before, after);
  }

  /** Where the content of the shard is after a step that changed something. */
  #follow(
    group: Group,
    step: MoveEntry,
    words: string,
    before: ShardFacts,
    after: ShardFacts,
    state: AppliedState,
  ): void {
    const { shard } = step;
    const life = this.#lives.get(shard);
    switch (step.step) {
      case MoveStep.activateEmpty:
        if (life !== undefined) {
          this.#fail('one owner', shard, `${words} serves an empty copy beside group ${life.holder.name}`);
        }
        this.#lives.set(shard, { holder: group, frozen: undefined });
        return;
      case MoveStep.freeze:
        if (life?.holder !== group) this.#fail('one owner', shard, `${words} froze what is not its own`);
        this.#lives.set(shard, {
          holder: group,
          frozen: {
            by: step.moveId,
            revision: after.revision,
            time: after.timeFloor,
            digests: state.digests(shard),
          },
        });
        return;
      case MoveStep.activate:
        this.#activated(group, step.moveId, words, shard, state);
        return;
      case MoveStep.forget:
      case MoveStep.beginImport:
        if (before.state === 'frozen' && life?.holder === group) {
          this.#fail('content is kept', shard, `${words} drops the only copy`);
        }
        return;
      default:
    }
  }

  #activated(group: Group, moveId: number, words: string, shard: number, state: AppliedState): void {
    const life = this.#lives.get(shard);
    const source = life?.holder.shards.get(shard);
    const frozen = life?.frozen;
    if (life === undefined || source?.state !== 'frozen' || frozen === undefined) {
      const owner = life === undefined ? 'nobody ever served it' : `group ${life.holder.name} serves it`;
      this.#fail('one owner', shard, `${words} serves while ${owner}`);
    }
    const after = state.facts(shard);
    const digests = state.digests(shard);
    const fits =
      frozen.by === moveId &&
      after.revision === frozen.revision &&
      after.timeFloor >= frozen.time &&
      after.epoch === source.epoch + 1 &&
      sameDigests(digests, frozen.digests);
    if (!fits) {
      this.#fail(
        'shard content',
        shard,
        `${words} serves something else than group ${life.holder.name} froze: ${factsWords(after)}`,
      );
    }
    this.#lives.set(shard, { holder: group, frozen: undefined });
  }

  #fail(rule: string, shard: number, message: string): never {
    const story = [...this.#groups.values()].flatMap((group) => {
      const facts = group.shards.get(shard);
      return facts === undefined ? [] : [`group ${group.name}: ${factsWords(facts)}`];
    });
    throw new CheckFailure(rule, `shard ${shard}: ${message}`, story);
  }
}

function sameDigests(left: ShardDigests, right: ShardDigests): boolean {
  return (['records', 'rows'] as const).every(
    (name) => left[name].hi === right[name].hi && left[name].lo === right[name].lo,
  );
}
