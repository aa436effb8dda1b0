import type { ConfState } from '@flotilla/base';
import { describeConfState, type ProgressView } from '@flotilla/raft';
import {
  changeSimply,
  EMPTY_CONF_STATE,
  enterJoint,
  leaveJoint,
  type MembershipChange,
  Tracker,
  viewProgress,
} from '@flotilla/raft/testing';
import { parseOperations } from './conf-change-input.ts';
import { CommandError } from './environment.ts';
import { boolean, MalformedError, single, type TestCase } from './parser.ts';
import { renderProgressMap } from './render.ts';

const INFLIGHT_MAX = 10;

/** The state of one file of the confchange suite. */
export class ConfChangeSuite {
  #conf: ConfState = EMPTY_CONF_STATE;
  readonly #tracker = new Tracker(INFLIGHT_MAX, Number.MAX_SAFE_INTEGER);
  #lastIndex = 0;

  run(test: TestCase): string {
    // Every case stands for one more entry of the log, failed ones too.
    const lastIndex = this.#lastIndex++;
    let outcome: MembershipChange;
    try {
      outcome = this.#change(test);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return error.message;
    }
    if (!outcome.ok) return outcome.reason;
    this.#conf = outcome.conf;
    this.#tracker.configure(outcome.conf, outcome.fresh, lastIndex);
    const progress = new Map<number, ProgressView>();
    for (const member of this.#tracker.members) progress.set(member.id, viewProgress(member));
    return `${describeConfState(outcome.conf)}\n${renderProgressMap(progress)}`;
  }

  #change(test: TestCase): MembershipChange {
    if (test.command === 'leave-joint') {
      if (test.input !== '') throw new CommandError('this command takes no input');
      return leaveJoint(this.#conf);
    }
    const changes = parseOperations(test.input);
    if (test.command === 'simple') return changeSimply(this.#conf, changes);
    if (test.command !== 'enter-joint') throw new CommandError('unknown command');
    let autoLeave = false;
    for (const argument of test.args) {
      if (argument.key !== 'autoleave') throw new MalformedError(`unknown argument ${argument.key}`);
      autoLeave = boolean(single(argument));
    }
    return enterJoint(this.#conf, autoLeave, changes);
  }
}
