import { patch, type Variant } from './variant.ts';

const log = 'log.ts';
const follower = 'follower.ts';
const replication = 'replication.ts';
const dispatch = 'dispatch.ts';
const isLower = '} else if (term < core.term && term !== 0) {';

/** Rules of replication and of commits. */
export const logs: readonly Variant[] = [
  {
    name: 'old-terms-committed-by-counting',
    rule: 'a leader counts for entries of its own term only',
    harm: 'commit lost',
    bounds: 'figure-8',
    isDeep: true,
    patches: [
      patch(
        replication,
        'return core.log.maybeCommit(core.tracker.quorumMatch(), core.term);',
        'const index = core.tracker.quorumMatch();\n  return core.log.maybeCommit(index, core.log.term(index) ?? 0);',
      ),
    ],
  },
  {
    name: 'late-append-truncates',
    rule: 'an append cuts off only what differs from it',
    harm: 'commit unfounded',
    bounds: 'proposal',
    isDeep: true,
    patches: [
      patch(
        follower,
        'if (conflict !== 0) log.append(entries.slice(conflict - previous - 1));',
        'if (entries.length > 0) log.append(entries);',
      ),
    ],
  },
  {
    name: 'append-fits-anywhere',
    rule: 'an append is taken where the entry before it agrees',
    harm: 'commit unfounded',
    bounds: 'three-terms',
    isDeep: true,
    patches: [patch(follower, 'if (log.matches(previous, logTerm)) {', 'if (previous <= log.lastIndex) {')],
  },
  {
    name: 'conflicts-stay',
    rule: 'entries that differ from those of the leader are replaced',
    harm: 'commit unfounded',
    bounds: 'elections',
    patches: [patch(log, 'if (own === entry.term) continue;', 'if (own !== undefined) continue;')],
  },
  {
    name: 'refusal-is-an-acknowledgement',
    rule: 'a refused append acknowledges nothing',
    harm: 'commit unfounded',
    bounds: 'proposal',
    patches: [
      patch(
        'leader.ts',
        'if (message.reject) handleRejection(core, progress, message);',
        'if (message.reject) handleAck(core, progress, message.index);',
      ),
    ],
  },
  {
    name: 'heartbeat-commits-beyond-the-match',
    rule: 'a heartbeat tells no commit beyond what is known to agree',
    harm: 'commit lost',
    bounds: 'heartbeats',
    patches: [
      patch(
        replication,
        'message.commit = Math.min(progress.match, core.log.committed);',
        'message.commit = core.log.committed;',
      ),
    ],
  },
  {
    name: 'acknowledgement-leaves-early',
    rule: 'an acknowledgement leaves when what it says is durable',
    harm: 'commit unfounded',
    bounds: 'elections',
    patches: [
      patch(
        'core.ts',
        'if (waitsForDurability(kind)) {',
        'if (waitsForDurability(kind) && (kind !== MessageKind.appResp || message.to === this.id)) {',
      ),
    ],
  },
  {
    name: 'leader-counts-itself-at-once',
    rule: 'a leader counts itself when its own disk has the entry',
    harm: 'commit unfounded',
    bounds: 'elections',
    patches: [
      patch(
        replication,
        '  core.log.append(entries);\n',
        '  core.log.append(entries);\n  core.tracker.get(core.id)?.advance(index);\n',
      ),
    ],
  },
  {
    name: 'acknowledgement-of-an-older-term',
    rule: 'a leader counts acknowledgements of its own term',
    harm: 'commit unfounded',
    bounds: 'crash-late',
    patches: [
      patch(dispatch, isLower, isLower.replace('!== 0)', '!== 0 && message.kind !== MessageKind.appResp)')),
    ],
  },
  {
    name: 'leader-of-an-older-term',
    rule: 'nobody takes appends of a term that it has left',
    harm: 'commit unfounded',
    bounds: 'late',
    isDeep: true,
    patches: [
      patch(dispatch, isLower, isLower.replace('!== 0)', '!== 0 && message.kind !== MessageKind.app)')),
    ],
  },
  {
    name: 'commit-goes-back',
    rule: 'the commit index never goes back',
    harm: 'went back',
    bounds: 'elections',
    patches: [patch(log, 'if (index <= this.#committed) return; // Never goes back.', '')],
  },
  {
    name: 'applied-before-it-is-durable',
    rule: 'an entry is applied when it is durable here',
    harm: 'core stops',
    bounds: 'crash-late',
    patches: [
      patch(log, 'return Math.min(this.#committed, this.unstable.offset - 1);', 'return this.#committed;'),
    ],
  },
];
