// How fast a shard is copied when nothing paces the move and nobody else writes.
//
//   node tools/bootstrap.mjs tools/bench/move-rate.ts [--values 4KiB,128] [--bytes 200MB] [--moves 3]
import { bytesOf, empty, fill, moveShard, readOptions, say, spreadOf, withCluster } from './move-bench.ts';

const options = readOptions(
  'Copies a shard between two groups without pacing and prints bytes and records a second.',
  {
    values: { fallback: '4KiB,128', help: 'sizes of the values, one measurement each' },
    bytes: { fallback: '200MB', help: 'keys and values of the shard together' },
    moves: { fallback: '3', help: 'moves for each size of values' },
  },
);

await withCluster(async (db) => {
  await db.admin.policy({ moveBytesPerSecond: 0 });
  const results: object[] = [];
  for (const values of options.values.split(',')) {
    const bytes = bytesOf(options.bytes);
    const records = await fill(db, values, bytes, bytesOf(values));
    const tookMs: number[] = [];
    for (let at = 0; at < Number(options.moves); at++) tookMs.push((await moveShard(db)).tookMs);
    await empty(db, values);
    const took = spreadOf(tookMs);
    const megabytesPerSecond = Math.round(bytes / took.median / 100) / 10;
    const recordsPerSecond = Math.round((records / took.median) * 1_000);
    results.push({ values, bytes, records, tookMs: took, megabytesPerSecond, recordsPerSecond });
    say(
      `values of ${values}: ${records} records in ${took.median} ms (max ${took.max}): ` +
        `${megabytesPerSecond} MB/s, ${recordsPerSecond} records/s`,
    );
  }
  say(JSON.stringify({ bench: 'move-rate', results }));
});
