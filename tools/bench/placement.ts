// How evenly groups share the keys, and how much of them moves when a group joins or leaves: fixed shards with a planned
// assignment against consistent hashing with virtual nodes. Nothing is measured in time; the numbers are computed.
//
//   node tools/bootstrap.mjs tools/bench/placement.ts [--rings 100]
//
// A ring is drawn anew for each of `--rings` seeds; its cells show the mean and, in brackets, what one ring in twenty
// exceeds. The placement of fixed shards has no chance in it: they hold equal parts of the keys.
import { parseArgs } from 'node:util';
import { Xxh64 } from '../../packages/base/src/index.ts';
import { type PlanShard, plan } from '../../packages/controller/src/index.ts';

const SHARDS = [64, 256, 1024];
const VIRTUAL_NODES = [16, 64, 256, 1024];
const GROUPS = [3, 4, 5, 8, 16, 32];

const { values: options } = parseArgs({ options: { rings: { type: 'string', default: '100' } } });
const rings = Number(options.rings);

interface Outcome {
  /** Share of the fullest group, as a multiple of the mean. */
  readonly imbalance: number;
  /** Part of all keys that moves when one more group joins, and when one of these leaves. */
  readonly joined: number;
  readonly left: number;
}

function place(shards: readonly PlanShard[], groupCount: number): { owners: PlanShard[]; moved: number } {
  const groups = Array.from({ length: groupCount }, (_, at) => at + 1);
  const moves = plan({ shards, groups });
  const owners = [...shards];
  for (const { shard, to } of moves) owners[shard] = resting(to);
  return { owners, moved: moves.length / shards.length };
}

function resting(owner: number): PlanShard {
  return { owner, home: owner, isMoving: false, isPinned: false };
}

function fixedShards(shardCount: number, groupCount: number): Outcome {
  const blank = Array.from({ length: shardCount }, () => resting(0));
  const { owners } = place(blank, groupCount);
  const sizes = new Map<number, number>();
  for (const { owner } of owners) sizes.set(owner, (sizes.get(owner) ?? 0) + 1);
  return {
    imbalance: (Math.max(...sizes.values()) * groupCount) / shardCount,
    joined: place(owners, groupCount + 1).moved,
    // The last group leaves: place() plans for groups 1 to n - 1.
    left: place(owners, groupCount - 1).moved,
  };
}

const hasher = new Xxh64();
const encoder = new TextEncoder();

/** Position on the ring, in [0, 1). */
function position(name: string): number {
  hasher.hash(encoder.encode(name));
  return (hasher.high + hasher.low / 2 ** 32) / 2 ** 32;
}

/** Share of each group: every point owns what lies between it and the point before. */
function ringShares(seed: number, groupCount: number, virtualNodes: number): readonly number[] {
  const points = Array.from({ length: groupCount * virtualNodes }, (_, at) => {
    const group = Math.floor(at / virtualNodes);
    return { group, at: position(`ring ${seed} group ${group} point ${at % virtualNodes}`) };
  }).sort((left, right) => left.at - right.at);
  const shares = new Array<number>(groupCount).fill(0);
  let before = (points.at(-1)?.at ?? 0) - 1;
  for (const { group, at } of points) {
    shares[group] = (shares[group] ?? 0) + at - before;
    before = at;
  }
  return shares;
}

function ring(seed: number, groupCount: number, virtualNodes: number): Outcome {
  const shares = ringShares(seed, groupCount, virtualNodes);
  const more = ringShares(seed, groupCount + 1, virtualNodes);
  return {
    imbalance: Math.max(...shares) * groupCount,
    // Points of a group that comes take from others, points of one that goes fall to others: nothing else moves.
    joined: more[groupCount] ?? 0,
    left: shares[groupCount - 1] ?? 0,
  };
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}

function spread(values: readonly number[], text: (value: number) => string): string {
  const sorted = [...values].sort((left, right) => left - right);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return `${text(mean)} (${text(sorted[Math.floor(0.95 * sorted.length)] ?? mean)})`;
}

/** One line of all tables: what each way of placing comes to with so many groups. */
interface Row {
  readonly groups: number;
  readonly fixed: readonly Outcome[];
  /** One list of rings for each number of virtual nodes. */
  readonly rings: readonly (readonly Outcome[])[];
}

const rows = GROUPS.map((groups): Row => {
  const drawn = (points: number): readonly Outcome[] =>
    Array.from({ length: rings }, (_, seed) => ring(seed, groups, points));
  return {
    groups,
    fixed: SHARDS.map((shards) => fixedShards(shards, groups)),
    rings: VIRTUAL_NODES.map(drawn),
  };
});

interface Table {
  readonly title: string;
  readonly pick: (outcome: Outcome) => number;
  readonly text: (value: number) => string;
  /** What a group would hold if keys could be divided at will. */
  readonly even: (groups: number) => number;
}

function print({ title, pick, text, even }: Table): void {
  const shards = SHARDS.map((count) => `${count} shards`);
  const head = ['groups', 'even share', ...shards, ...VIRTUAL_NODES.map((count) => `${count} points`)];
  const cells = rows.map((row) => [
    `${row.groups}`,
    text(even(row.groups)),
    ...row.fixed.map((outcome) => text(pick(outcome))),
    ...row.rings.map((drawn) => spread(drawn.map(pick), text)),
  ]);
  const lines = [head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`);
  process.stdout.write(`${title}\n\n${lines.join('\n')}\n\n`);
}

print({
  title: 'Fullest group, as a multiple of the mean',
  pick: (outcome) => outcome.imbalance,
  text: (value) => value.toFixed(2),
  even: () => 1,
});
print({
  title: 'Moved when one more group joins',
  pick: (outcome) => outcome.joined,
  text: percent,
  even: (groups) => 1 / (groups + 1),
});
print({
  title: 'Moved when one of the groups leaves',
  pick: (outcome) => outcome.left,
  text: percent,
  even: (groups) => 1 / groups,
});
