import { MessageKind } from '@flotilla/base';
import type { Core } from './core.ts';
import { step } from './dispatch.ts';
import { draft } from './messages.ts';
import { leaveJointIfDue } from './reconfigure.ts';

/** Ticks: the only time that the core knows. What falls due becomes a message to this node itself. */

const HUP = draft(MessageKind.hup, 0);
const BEAT = draft(MessageKind.beat, 0);
const CHECK_QUORUM = draft(MessageKind.checkQuorum, 0);

export function tick(core: Core): void {
  if (core.config.readOnly === 'lease-based') core.reads.lease.tick();
  if (core.role === 'leader') tickLeader(core);
  else tickElection(core);
}

function tickElection(core: Core): void {
  core.electionElapsed++;
  if (!core.promotable || !core.pastElectionTimeout) return;
  core.electionElapsed = 0;
  step(core, HUP);
}

function tickLeader(core: Core): void {
  core.heartbeatElapsed++;
  core.electionElapsed++;
  if (core.electionElapsed >= core.config.electionTicks) {
    core.electionElapsed = 0;
    if (core.config.checkQuorum) step(core, CHECK_QUORUM);
    if (core.role === 'leader' && core.transferee !== 0) {
      // The target had its time. What was refused for its sake may be proposed again, by this node as well.
      core.transferee = 0;
      leaveJointIfDue(core);
    }
  }
  if (core.role !== 'leader') return;
  if (core.heartbeatElapsed < core.config.heartbeatTicks) return;
  core.heartbeatElapsed = 0;
  step(core, BEAT);
}
