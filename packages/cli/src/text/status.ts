import { ExitCode } from '../failure.ts';
import { plural, tableLines } from './table.ts';

/** What the status of a cluster means, in words first: nobody should have to read tables to be calm. */

export interface StatusInput {
  readonly clusterId: string;
  readonly configNumber: number;
  readonly shardCount: number;
  readonly problems: readonly {
    readonly severity: 'warning' | 'critical';
    readonly what: string;
    readonly next: string;
  }[];
  readonly stores: readonly {
    readonly storeId: string;
    readonly incarnation: string;
    readonly address: string;
    readonly zone: string;
    readonly up: boolean;
    readonly replicas: number;
    readonly leaders: number;
  }[];
  readonly groups: readonly {
    readonly gid: number;
    readonly incarnation: number;
    readonly leader: string;
    readonly term: number;
    readonly replicas: readonly {
      readonly raftId: number;
      readonly storeId: string;
      readonly role: string;
      readonly match: number;
    }[];
    readonly shards: number;
    readonly commitIndex: number;
    readonly appliedIndex: number;
    readonly shardsNotServing: readonly number[];
  }[];
  readonly moves: readonly { readonly shard: number }[];
}

export type Health = 'healthy' | 'degraded' | 'unavailable';

export interface Judgement {
  readonly health: Health;
  readonly exitCode: ExitCode;
  /** `Degraded: store s2 is down; all 64 shards are served.` */
  readonly headline: string;
  /** What else is to be said, one line each, with what to do. */
  readonly notes: readonly string[];
}

const exitCodes: Readonly<Record<Health, ExitCode>> = {
  healthy: ExitCode.done,
  degraded: ExitCode.degraded,
  unavailable: ExitCode.unavailable,
};

interface Shards {
  readonly assigned: number;
  readonly serving: number;
}

/**
 * Shards that the leader of a group does not serve. Those that move are between two groups for a moment: that is
 * how a move ends, and one that stays there is among the problems that the cluster tells by itself.
 */
function notServed(group: StatusInput['groups'][number], status: StatusInput): number {
  const moving = new Set(status.moves.map(({ shard }) => shard));
  return group.shardsNotServing.filter((shard) => !moving.has(shard)).length;
}

function shardsOf(status: StatusInput): Shards {
  let assigned = 0;
  let serving = 0;
  for (const group of status.groups) {
    if (group.gid === 0) continue;
    assigned += group.shards;
    if (group.leader !== '') serving += Math.max(0, group.shards - notServed(group, status));
  }
  return { assigned, serving };
}

function shardsText(status: StatusInput, { serving }: Shards): string {
  const all = status.shardCount;
  if (serving === all) return `all ${plural(all, 'shard')} are served`;
  return `${all - serving} of ${plural(all, 'shard')} ${all - serving === 1 ? 'is' : 'are'} not served`;
}

/** Facts in the tables that are wrong whatever the list of problems says. */
function findings(status: StatusInput): { critical: string[]; warning: string[] } {
  const critical: string[] = [];
  const warning: string[] = [];
  for (const { gid, leader } of status.groups) {
    if (leader === '') critical.push(`${gid === 0 ? 'the controller group' : `group ${gid}`} has no leader`);
  }
  const down = status.stores.filter((store) => !store.up).map((store) => store.storeId);
  if (down.length === 1) warning.push(`store ${down[0]} is down`);
  if (down.length > 1) warning.push(`stores ${down.join(', ')} are down`);
  return { critical, warning };
}

export function judge(status: StatusInput): Judgement {
  const shards = shardsOf(status);
  const { critical, warning } = findings(status);
  const told = (severity: string): number =>
    status.problems.filter((problem) => problem.severity === severity).length;
  const dataGroups = status.groups.filter((group) => group.gid !== 0);
  // A shard that no group has ever had is unfinished set-up; one that its group does not serve is an outage.
  const outage = critical.length > 0 || told('critical') > 0 || shards.serving < shards.assigned;
  const unassigned = shards.assigned < status.shardCount;
  const trouble = warning.length > 0 || told('warning') > 0 || unassigned;
  const health: Health = outage ? 'unavailable' : trouble ? 'degraded' : 'healthy';
  const notes = status.problems.map(problemText);
  if (dataGroups.length === 0 && notes.length === 0) {
    notes.push(`No group holds data yet. Make one: flotilla join 1 --stores ${storeList(status)}`);
  }
  return { health, exitCode: exitCodes[health], headline: headline(status, health, shards), notes };
}

/** `Store s1 does not answer. Next: start it.`, however the store that found it put its words. */
function problemText({ what, next }: StatusInput['problems'][number]): string {
  const sentence = (text: string): string =>
    `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;
  return next === '' ? sentence(what) : `${sentence(what)} Next: ${next.replace(/\.$/, '')}.`;
}

function storeList(status: StatusInput): string {
  const ids = status.stores.slice(0, 3).map((store) => store.storeId);
  return ids.length === 0 ? 's1,s2,s3' : ids.join(',');
}

function headline(status: StatusInput, health: Health, shards: Shards): string {
  const served = shardsText(status, shards);
  const { critical, warning } = findings(status);
  if (health === 'healthy') {
    const groups = status.groups.length - 1;
    const stores = `${plural(status.stores.length, 'store')} up`;
    return `Healthy: ${stores}, ${plural(groups, 'data group')} with a leader, ${served}.`;
  }
  const facts = [...critical, ...warning];
  if (facts.length === 0 && status.problems.length > 0) {
    facts.push(status.problems.length === 1 ? 'one problem' : `${status.problems.length} problems`);
  }
  const word = health === 'unavailable' ? 'Unavailable' : 'Degraded';
  return `${word}: ${[...facts, served].join('; ')}.`;
}

export function statusLines(status: StatusInput): string[] {
  const { headline, notes } = judge(status);
  const lines = [headline, ...notes.map((note) => `- ${note}`)];
  lines.push(
    '',
    `cluster ${status.clusterId}, config ${status.configNumber}, ${plural(status.shardCount, 'shard')}`,
  );
  if (status.moves.length > 0)
    lines.push(`moving ${plural(status.moves.length, 'shard')}: see flotilla moves`);
  lines.push('', ...storeTable(status), '', ...groupTable(status));
  return lines;
}

/** What is wrong comes first; else by name, numbers as numbers. */
function storeTable(status: StatusInput): string[] {
  const stores = [...status.stores].sort(
    (left, right) =>
      Number(left.up) - Number(right.up) ||
      left.storeId.localeCompare(right.storeId, 'en', { numeric: true }),
  );
  return tableLines(
    [
      { title: 'STORE' },
      { title: 'STATE' },
      { title: 'ADDRESS' },
      { title: 'REPLICAS', align: 'right' },
      { title: 'LEADS', align: 'right' },
      { title: 'ZONE' },
    ],
    stores.map((store) => [
      store.storeId,
      store.up ? 'up' : 'down',
      store.address,
      String(store.replicas),
      String(store.leaders),
      store.zone,
    ]),
  );
}

function groupTable(status: StatusInput): string[] {
  return tableLines(
    [
      { title: 'GROUP', align: 'right' },
      { title: 'LEADER' },
      { title: 'TERM', align: 'right' },
      { title: 'SHARDS', align: 'right' },
      { title: 'COMMIT', align: 'right' },
      { title: 'APPLIED', align: 'right' },
      { title: 'REPLICAS (match)' },
    ],
    status.groups.map((group) => [
      String(group.gid),
      group.leader === '' ? 'none' : group.leader,
      String(group.term),
      group.gid === 0 ? '-' : shardCell(group.shards, notServed(group, status)),
      String(group.commitIndex),
      String(group.appliedIndex),
      group.replicas
        .map((replica) => `${replica.storeId}${roleMark(replica.role)} (${replica.match})`)
        .join('  '),
    ]),
  );
}

function shardCell(shards: number, missing: number): string {
  return missing === 0 ? String(shards) : `${shards} (${missing} not served)`;
}

function roleMark(role: string): string {
  if (role === 'leader') return '*';
  return role === 'follower' ? '' : ` ${role}`;
}
