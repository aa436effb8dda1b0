import { plural, tableLines } from './table.ts';

/** A config of the cluster for people: who owns what, in few lines. */

export interface ConfigInput {
  readonly number: number;
  readonly cause: string;
  readonly author: string;
  readonly atMs: number;
  readonly shards: readonly {
    readonly owner: number;
    readonly epoch: number;
    readonly intent: { readonly moveId: number; readonly target: number } | undefined;
  }[];
  readonly groups: readonly GroupInput[];
  readonly controller: GroupInput;
  readonly stores: readonly {
    readonly storeId: string;
    readonly incarnation: string;
    readonly address: string;
    readonly zone: string;
  }[];
}

interface GroupInput {
  readonly gid: number;
  readonly incarnation: number;
  readonly replicas: readonly { readonly raftId: number; readonly storeId: string }[];
  readonly leaving: boolean;
}

export interface ConfigSummaryInput {
  readonly number: number;
  readonly cause: string;
  readonly author: string;
  readonly atMs: number;
}

/** `0-3,7,9-10` */
export function rangesText(numbers: readonly number[]): string {
  const parts: string[] = [];
  let begin = 0;
  for (let at = 1; at <= numbers.length; at++) {
    if (at < numbers.length && numbers[at] === (numbers[at - 1] as number) + 1) continue;
    const first = numbers[begin] as number;
    const last = numbers[at - 1] as number;
    parts.push(first === last ? String(first) : `${first}-${last}`);
    begin = at;
  }
  return parts.join(',');
}

function momentText(atMs: number): string {
  return atMs === 0
    ? 'unknown'
    : new Date(atMs)
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, 'Z');
}

/** Founding config has no author. */
function causeText({ cause, author }: { readonly cause: string; readonly author: string }): string {
  return author === '' ? cause : `${cause}, by ${author}`;
}

function shardsOf(config: ConfigInput, gid: number): number[] {
  return config.shards.flatMap((shard, number) => (shard.owner === gid ? [number] : []));
}

function shardsText(shards: readonly number[]): string {
  return shards.length === 0 ? 'none' : `${shards.length}: ${rangesText(shards)}`;
}

function groupRow(config: ConfigInput, group: GroupInput): string[] {
  const shards = shardsOf(config, group.gid);
  const stores = group.replicas.map((replica) => replica.storeId).join(',');
  const arriving = config.shards.filter((shard) => shard.intent?.target === group.gid).length;
  const notes = [arriving > 0 ? `${plural(arriving, 'shard')} arriving` : '', group.leaving ? 'leaving' : ''];
  const owned = group.gid === 0 ? 'controller' : shardsText(shards);
  return [String(group.gid), stores, owned, notes.filter((note) => note !== '').join(', ')];
}

export function configLines(config: ConfigInput): string[] {
  const head = `config ${config.number}: ${causeText(config)} at ${momentText(config.atMs)}`;
  const groups = tableLines(
    [{ title: 'GROUP', align: 'right' }, { title: 'STORES' }, { title: 'SHARDS' }, { title: '' }],
    [config.controller, ...config.groups].map((group) => groupRow(config, group)),
  );
  const stores = tableLines(
    [{ title: 'STORE' }, { title: 'ADDRESS' }, { title: 'ZONE' }],
    config.stores.map((store) => [store.storeId, store.address, store.zone]),
  );
  const nobody = shardsOf(config, 0);
  const unowned = nobody.length === 0 ? [] : ['', `without owner: ${shardsText(nobody)}`];
  return [head, '', ...groups, ...unowned, '', ...stores];
}

export function summaryLine(summary: ConfigSummaryInput): string {
  return `${summary.number}\t${momentText(summary.atMs)}\t${causeText(summary)}`;
}

/** Plain data with the same names as in the config itself; numbers of shards are positions in the list. */
export function configJson(config: ConfigInput): Record<string, unknown> {
  return {
    ...config,
    shards: config.shards.map(({ owner, epoch, intent }) =>
      intent === undefined ? { owner, epoch } : { owner, epoch, intent },
    ),
  };
}
