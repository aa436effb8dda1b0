// How long writes to a shard stand still while it moves, whatever its size, and what writes to other shards notice.
//
//   node tools/bootstrap.mjs tools/bench/move-pause.ts [--sizes 1MB:20,100MB:10,1GB:3] [--rate 1000] [--pace 32MiB]
//
// A gap is the longest time between two acknowledged writes of the moving shard in the course of one move, as the
// writers see it; a pause is what the store reports, from freezing the source to activation in the target.
import type { Db } from '../../packages/client/src/index.ts';
import { shardOfKey, tagOf } from '../../test/process/harness/shards.ts';
import { pause } from '../../test/process/harness/waits.ts';
import {
  bytesOf,
  empty,
  fill,
  moveShard,
  noise,
  type Observed,
  OpenLoop,
  percentile,
  readOptions,
  SHARD,
  SHARDS,
  say,
  spreadOf,
  withCluster,
} from './move-bench.ts';

const options = readOptions(
  'Moves a shard back and forth under open-loop writes, for several sizes, and prints gaps, pauses and the latency of other shards.',
  {
    sizes: {
      fallback: '1MB:20,100MB:10,1GB:3',
      help: 'size of the shard and number of moves, several by commas',
    },
    rate: { fallback: '1000', help: 'writes a second to the moving shard' },
    'other-rate': { fallback: '1000', help: 'writes a second to all other shards together' },
    'value-bytes': { fallback: '4096', help: 'size of a value that fills the shard' },
    'write-bytes': { fallback: '128', help: 'size of a value that is written meanwhile' },
    pace: {
      fallback: '',
      help: 'bytes a second that moves may copy, 0 for all they can; otherwise as clusters do',
    },
    'quiet-seconds': {
      fallback: '10',
      help: 'time of the same load without a move, for each size, spread over the gaps between its moves',
    },
  },
);

const WARM_MS = 3_000;
const QUIET_MS_MIN = 1_000;
const HOT_KEYS = 1_000;

interface Load {
  readonly moving: OpenLoop;
  readonly others: OpenLoop;
}

function startLoad(db: Db): Load {
  const value = noise(bytesOf(options['write-bytes']));
  const tag = tagOf(SHARD, SHARDS);
  const otherKeys = Array.from({ length: 2 * HOT_KEYS }, (_, at) => `other/${at}`).filter(
    (key) => shardOfKey(key, SHARDS) !== SHARD,
  );
  return {
    moving: new OpenLoop(Number(options.rate), (at) => db.put(`hot${tag}${at % HOT_KEYS}`, value(at))),
    others: new OpenLoop(Number(options['other-rate']), (at) =>
      db.put(otherKeys[at % otherKeys.length] as string, value(at)),
    ),
  };
}

function lost(observed: readonly Observed[]): number {
  return observed.reduce((sum, { errors, skipped }) => sum + errors + skipped, 0);
}

async function measure(db: Db, { moving, others }: Load, size: string, count: number) {
  const records = await fill(db, size, bytesOf(size), bytesOf(options['value-bytes']));
  await pause(WARM_MS);
  const quietMs = Math.max(QUIET_MS_MIN, (Number(options['quiet-seconds']) * 1_000) / count);
  const quiet: Observed[] = [];
  const quietOthers: Observed[] = [];
  const gaps: number[] = [];
  const pauses: number[] = [];
  const movedMs: number[] = [];
  const seen: Observed[] = [];
  const seenOthers: Observed[] = [];
  for (let at = 0; at < count; at++) {
    // Between the moves, not once before them: what a disk or a machine does varies from minute to minute.
    moving.take();
    others.take();
    await pause(quietMs);
    quiet.push(moving.take());
    quietOthers.push(others.take());
    const { tookMs, pauseMs } = await moveShard(db);
    const observed = moving.take();
    seen.push(observed);
    seenOthers.push(others.take());
    gaps.push(observed.gapMs);
    pauses.push(pauseMs);
    movedMs.push(tookMs);
    await pause(WARM_MS / 10);
  }
  await empty(db, size);
  const p99 = (each: readonly Observed[]): number =>
    Math.round(
      percentile(
        each.flatMap(({ latenciesMs }) => latenciesMs),
        0.99,
      ) * 10,
    ) / 10;
  const othersP99 = { quietMs: p99(quietOthers), movingMs: p99(seenOthers) };
  return {
    size,
    records,
    moves: count,
    gapMs: spreadOf(gaps),
    quietGapMs:
      Math.round(
        percentile(
          quiet.map(({ gapMs }) => gapMs),
          0.99,
        ) * 10,
      ) / 10,
    pauseMs: spreadOf(pauses),
    tookMs: spreadOf(movedMs),
    othersP99: { ...othersP99, ratio: Math.round((othersP99.movingMs / othersP99.quietMs) * 100) / 100 },
    lost: lost([...quiet, ...quietOthers, ...seen, ...seenOthers]),
  };
}

await withCluster(async (db) => {
  if (options.pace !== '') await db.admin.policy({ moveBytesPerSecond: bytesOf(options.pace) });
  const load = startLoad(db);
  const results: Awaited<ReturnType<typeof measure>>[] = [];
  for (const item of options.sizes.split(',')) {
    const [size = '', count = '1'] = item.split(':');
    const found = await measure(db, load, size, Number(count));
    results.push(found);
    const { gapMs, quietGapMs, pauseMs, tookMs, othersP99 } = found;
    say(
      `${size}, ${count} moves of ${tookMs.median} ms: gap median ${gapMs.median} p99 ${gapMs.p99} max ${gapMs.max} ms ` +
        `(without a move ${quietGapMs}); pause median ${pauseMs.median} p99 ${pauseMs.p99} max ${pauseMs.max} ms; ` +
        `p99 of other shards ${othersP99.quietMs} -> ${othersP99.movingMs} ms (x ${othersP99.ratio}); ${found.lost} writes failed`,
    );
  }
  await Promise.all([load.moving.stop(), load.others.stop()]);
  const [first] = results;
  const ratioOf = (of: 'gapMs' | 'pauseMs'): number[] =>
    results.map((each) => Math.round((each[of].median / (first?.[of].median ?? 1)) * 100) / 100);
  const ratios = { gap: ratioOf('gapMs'), pause: ratioOf('pauseMs') };
  say(
    `medians as a multiple of the smallest shard's: gap ${ratios.gap.join(', ')}; pause ${ratios.pause.join(', ')}`,
  );
  say(JSON.stringify({ bench: 'move-pause', rate: Number(options.rate), results, ratios }));
});
