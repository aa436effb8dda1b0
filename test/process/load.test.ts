import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@flotilla/client';
import { afterAll, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { removeDirectories } from './harness/places.ts';
import { endAll, root } from './harness/running.ts';

// Real data through the real command. The file lies beside the repository, not in it.

const file = join(root, '..', 'shared', 'data', 'debian-packages.jsonl');
const absent = !existsSync(file);
if (absent) process.stderr.write(`load.test.ts: no real data at ${file}, so it is not loaded\n`);

afterAll(async () => {
  await endAll();
  removeDirectories();
});

test.skipIf(absent)(
  '20,000 Debian packages are loaded, counted in key order, and equal byte by byte',
  async () => {
    const cluster = await Cluster.start();
    const loaded = await cluster.run(['load', file, '--json']);
    expect(loaded.code).toBe(0);
    expect(JSON.parse(loaded.out)).toMatchObject({
      event: 'loaded',
      stored: 20_000,
      failed: 0,
      complete: true,
    });

    const scanned = await cluster.run(['scan', 'package/', '--json']);
    const found = scanned.out.split('\n').map((line) => JSON.parse(line).key as string);
    expect(found).toHaveLength(20_000);
    const sorted = [...found].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    expect(found).toEqual(sorted);

    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    await using db = await connect({ endpoints: [...cluster.endpoints] });
    for (let sample = 0; sample < 100; sample++) {
      const line = lines[Math.floor(Math.random() * lines.length)] as string;
      const { key } = JSON.parse(line) as { key: string };
      const begin = line.indexOf('"value":') + '"value":'.length;
      const record = await db.get(key);
      expect(record?.text()).toBe(line.slice(begin, -1));
    }

    const dumped = await cluster.run(['dump', 'package/bash']);
    expect(dumped.code).toBe(0);
    for (const line of dumped.out.split('\n')) expect(JSON.parse(line).key).toMatch(/^package\/bash/);
  },
);
