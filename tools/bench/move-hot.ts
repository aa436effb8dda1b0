// A shard that is written as fast as a small cluster can is moved there and back: does it arrive, how long does it
// take, how many writes are told to wait, and how long do all of them stand still.
//
//   node tools/bootstrap.mjs tools/bench/move-hot.ts [--rate 5000] [--moves 6]
import type { Cluster } from '../../test/process/harness/cluster.ts';
import { tagOf } from '../../test/process/harness/shards.ts';
import { pause } from '../../test/process/harness/waits.ts';
import {
  bytesOf,
  fill,
  moveShard,
  noise,
  OpenLoop,
  percentile,
  readOptions,
  SHARD,
  SHARDS,
  say,
  spreadOf,
  withCluster,
} from './move-bench.ts';

const options = readOptions('Moves a shard there and back while it takes thousands of writes a second.', {
  rate: { fallback: '5000', help: 'writes a second to the moving shard' },
  moves: { fallback: '6', help: 'moves, each to the other group' },
  bytes: { fallback: '20MB', help: 'size of the shard at the beginning' },
  'write-bytes': { fallback: '128', help: 'size of a value that is written meanwhile' },
  keys: { fallback: '20000', help: 'number of keys that are written' },
});

const WARM_MS = 3_000;

/** Writes that all stores have told to wait since their start. */
async function throttled(cluster: Cluster): Promise<number> {
  const counts = await Promise.all(
    cluster.endpoints.map(async (endpoint) => {
      const text = await (await fetch(`http://${endpoint}/metrics`)).text();
      return Number(/^\w*writes_throttled_total (\d+)/m.exec(text)?.[1] ?? 0);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

await withCluster(async (db, cluster) => {
  const tag = tagOf(SHARD, SHARDS);
  const value = noise(bytesOf(options['write-bytes']));
  const keys = Number(options.keys);
  await fill(db, 'cold', bytesOf(options.bytes), 4_096);
  const load = new OpenLoop(Number(options.rate), (at) => db.put(`hot${tag}${at % keys}`, value(at)));
  await pause(WARM_MS);
  load.take();
  const rows: { tookMs: number; pauseMs: number; gapMs: number; p99Ms: number; throttledShare: number }[] =
    [];
  let lost = 0;
  for (let at = 0; at < Number(options.moves); at++) {
    const before = await throttled(cluster);
    const { tookMs, pauseMs } = await moveShard(db);
    const { latenciesMs, gapMs, errors, skipped } = load.take();
    lost += errors + skipped;
    const told = (await throttled(cluster)) - before;
    const row = {
      tookMs: Math.round(tookMs),
      pauseMs,
      gapMs: Math.round(gapMs),
      p99Ms: Math.round(percentile(latenciesMs, 0.99)),
      throttledShare: Math.round((told / (told + latenciesMs.length)) * 1_000) / 1_000,
    };
    rows.push(row);
    say(
      `move ${at + 1}: ${row.tookMs} ms, pause ${pauseMs} ms, gap ${row.gapMs} ms, p99 of its writes ${row.p99Ms} ms, ` +
        `told to wait ${(row.throttledShare * 100).toFixed(1)} %`,
    );
    await pause(WARM_MS);
    load.take();
  }
  await load.stop();
  const tookMs = spreadOf(rows.map((row) => row.tookMs));
  const pauseMs = spreadOf(rows.map((row) => row.pauseMs));
  say(JSON.stringify({ bench: 'move-hot', rate: Number(options.rate), moves: rows, tookMs, pauseMs, lost }));
});
