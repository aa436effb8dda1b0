import type { Prng } from '@flotilla/base';
import type { ClusterConfig } from '@flotilla/wire';
import type { Decision } from './operator.ts';

/** What operators ask for. Nothing here need succeed, and much of it is refused. */

/** One of several, by weight. */
function oneOf(...choices: readonly (readonly [weight: number, decide: Decision])[]): Decision {
  const sum = choices.reduce((total, [weight]) => total + weight, 0);
  return (situation) => {
    let dice = situation.random.below(sum);
    const chosen = choices.find(([weight]) => {
      dice -= weight;
      return dice < 0;
    });
    return chosen?.[1](situation);
  };
}

const lookAround: Decision = () => ({ method: 'status', params: { after: '' }, words: 'status' });

const askForMoves: Decision = ({ random }) => ({
  method: 'moves',
  params: { all: random.chance(0.5), after: '' },
  words: 'moves',
});

const transferLeader: Decision = ({ random, stores, config }) => {
  const gid = pick(random, [0, ...config.groups.map((group) => group.gid)]);
  const replicas = config.groups.find((group) => group.gid === gid)?.replicas ?? [];
  // Mostly a store that can; sometimes one that has no replica.
  const able = random.chance(0.8) && replicas.length > 0 ? replicas.map((place) => place.storeId) : stores;
  const store = pick(random, able);
  return { method: 'transferLeader', params: { gid, store }, words: `transfer of group ${gid} to ${store}` };
};

/** New groups beyond those that the cluster began with. */
const FIRST_JOINED_GID = 100;

function joinOf(groupsMax: number): Decision {
  return ({ random, stores, config, replicasMin }) => {
    if (config.groups.length >= groupsMax) return undefined;
    const highest = Math.max(FIRST_JOINED_GID, ...config.groups.map((group) => group.gid));
    const count = random.chance(0.2) ? 2 : 1;
    const groups = Array.from({ length: count }, (_, at) => ({
      gid: highest + 1 + at,
      stores: shuffle(random, stores).slice(0, replicasMin + random.below(4 - replicasMin)),
    }));
    const words = groups.map(({ gid, stores }) => `group ${gid} on ${stores.join(' ')}`).join(', ');
    return { method: 'join', params: { plan: random.chance(0.1), groups }, words: `join of ${words}` };
  };
}

/** A group on its way out is to stay after all. */
const joinAgain: Decision = ({ random, config }) => {
  const leaving = config.groups.filter((group) => group.leaving);
  if (leaving.length === 0) return undefined;
  const { gid, replicas } = pick(random, leaving);
  const groups = [{ gid, stores: replicas.map((place) => place.storeId) }];
  return { method: 'join', params: { plan: false, groups }, words: `join of leaving group ${gid}` };
};

function leaveOf(groupsMin: number): Decision {
  return ({ random, config }) => {
    const staying = config.groups.filter((group) => !group.leaving);
    if (staying.length <= groupsMin) return undefined;
    const count = staying.length - groupsMin > 1 && random.chance(0.2) ? 2 : 1;
    const gids = shuffle(random, staying)
      .slice(0, count)
      .map((group) => group.gid);
    const words = `leave of groups ${gids.join(', ')}`;
    const params = { plan: random.chance(0.1), gids };
    if (!random.chance(0.3)) return { method: 'leave', params, words };
    return { method: 'leave', params, words, soonThen: joinAgain };
  };
}

/** Some have second thoughts, while the copy is under way. */
export const moveShard: Decision = ({ random, config }) => {
  const shard = random.below(config.shards.length);
  const gids = config.groups.map((group) => group.gid);
  const others = gids.filter((gid) => gid !== config.shards[shard]?.owner);
  if (others.length === 0) return undefined;
  const gid = pick(random, others);
  const wish = { plan: false, shard, gid };
  const words = `move of shard ${shard} to ${gid}`;
  if (!random.chance(0.35)) return { method: 'move', params: wish, words };
  return { method: 'move', params: wish, words, soonThen: random.chance(0.6) ? cancelSome : pauseSome };
};

const rebalance: Decision = ({ random }) => ({
  method: 'rebalance',
  params: { plan: random.chance(0.3) },
  words: 'rebalance',
});

const POLICY_BYTES = [0, 500, 2_000, 10_000, 16_777_216];

const changePolicy: Decision = ({ random }) => {
  const movesPerStore = random.chance(0.5) ? 1 + random.below(4) : undefined;
  const moveBytesPerSecond = random.chance(0.7) ? pick(random, POLICY_BYTES) : undefined;
  const auto = random.chance(0.3) ? random.chance(0.5) : undefined;
  return {
    method: 'policy',
    params: { auto, movesPerStore, moveBytesPerSecond },
    words: `policy ${movesPerStore} moves per store, ${moveBytesPerSecond} bytes per second, auto ${auto}`,
  };
};

/** Of one open move, or of all that its config ordered. */
function ofMove(method: 'cancel' | 'pause' | 'resume', wanted: (paused: boolean) => boolean): Decision {
  return ({ random, config }) => {
    const open = openMoves(config).filter(({ paused }) => wanted(paused));
    if (open.length === 0) return undefined;
    const { moveId, shard } = pick(random, open);
    const only = random.chance(0.8) ? shard : undefined;
    const words = `${method} of move ${moveId}${only === undefined ? '' : `, shard ${only}`}`;
    return { method, params: { moveId, shard: only }, words };
  };
}

export const cancelSome: Decision = ofMove('cancel', () => true);
const pauseSome = ofMove('pause', (paused) => !paused);
const resumeSome = ofMove('resume', (paused) => paused);

export function openMoves(config: ClusterConfig): { moveId: number; shard: number; paused: boolean }[] {
  return config.shards.flatMap(({ intent }, shard) =>
    intent === undefined ? [] : [{ moveId: intent.moveId, shard, paused: intent.paused }],
  );
}

/** Looks at things and moves leaders about; founds groups, if it may. */
export function caretaker(groupsMax: number): Decision {
  return oneOf([70, transferLeader], [15, lookAround], [15, joinOf(groupsMax)]);
}

/** Everything that begins, ends or holds up moves, but single moves. */
export function shuffler(groupsMin: number, groupsMax: number): Decision {
  return oneOf(
    [14, joinOf(groupsMax)],
    [14, leaveOf(groupsMin)],
    [10, cancelSome],
    [5, pauseSome],
    [26, resumeSome],
    [10, rebalance],
    [10, changePolicy],
    [6, askForMoves],
  );
}

function shuffle<T>(random: Prng, values: readonly T[]): T[] {
  const left = [...values];
  return values.map(() => left.splice(random.below(left.length), 1)[0] as T);
}

function pick<T>(random: Prng, values: readonly T[]): T {
  return values[random.below(values.length)] as T;
}
