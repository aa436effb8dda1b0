import { ConflictError, type Db } from '@flotilla/client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CheckFailure } from '../checkers/failure.ts';
import { type TestCluster, type TestClusterOptions, testCluster } from './test-cluster.ts';

const open: TestCluster[] = [];

function cluster(options: TestClusterOptions = {}): TestCluster {
  const made = testCluster(options);
  open.push(made);
  return made;
}

afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** Some hundred calls of four threads, while a store loses power and another is cut off. */
async function busy(subject: TestCluster): Promise<string[]> {
  const seen: string[] = [];
  const thread = async (db: Db, name: string): Promise<void> => {
    for (let round = 0; round < 25; round++) {
      await db.append(`list ${round % 3}`, `${name}${round};`);
      if (subject.random() < 0.3) await subject.advance(Math.floor(subject.random() * 40));
      seen.push(`${name}${round} ${(await db.get(`list ${round % 3}`))?.text().length}`);
    }
  };
  const dbs = [subject.client(), subject.client()];
  await subject.run(async () => {
    const threads = ['a', 'b', 'c', 'd'].map((name, at) => thread(dbs[at % 2] as Db, name));
    await subject.advance(100);
    subject.powerCut('s1');
    await subject.advance(700);
    subject.restart('s1');
    subject.partition(['s2', 'c1']);
    await subject.advance(900);
    subject.heal();
    await Promise.all(threads);
  });
  return seen;
}

describe('time', () => {
  test('the same seed and the same program are the same course of events, and another seed is another', async () => {
    const [first, second, other] = [cluster({ seed: 5 }), cluster({ seed: 5 }), cluster({ seed: 6 })];
    const seen = await busy(first);
    // The second run meets a machine that does other things meanwhile.
    const noise = setInterval(() => JSON.stringify(seen), 1);
    expect(await busy(second)).toEqual(seen);
    clearInterval(noise);
    await busy(other);
    expect(second.hash).toBe(first.hash);
    expect(other.hash).not.toBe(first.hash);
    for (const each of [first, second, other]) each.check();
  });

  test('a program goes on at the moment of its answer, before anything else happens', async () => {
    const subject = cluster();
    const db = subject.client();
    await subject.run(async () => {
      await db.put('a', '1');
      const { hash } = subject;
      for (let turn = 0; turn < 1_000; turn++) await Promise.resolve();
      expect(subject.hash).toBe(hash);
    });
  });

  test('pauses of programs that run together pass together, to the millisecond', async () => {
    const subject = cluster();
    const before = subject.now();
    await subject.run(() => Promise.all([subject.advance(50), subject.advance(200), subject.advance(125)]));
    expect(subject.now() - before).toBe(200);
    await subject.advance(0.5);
    expect(subject.now() - before).toBe(200.5);
  });

  test('time stands still while nobody runs anything', async () => {
    const subject = cluster();
    const db = subject.client();
    const put = db.put('a', '1');
    const before = subject.now();
    await new Promise((resolve) => setImmediate(resolve));
    expect(subject.now()).toBe(before);
    expect((await subject.run(() => put)).version).toBeGreaterThan(0);
  });

  test('programs may run others, side by side and one after the other', async () => {
    const subject = cluster();
    const db = subject.client();
    const [left, right] = await Promise.all([
      subject.run(() => subject.run(() => db.increment('n'))),
      subject.run(() => db.increment('n', 10)),
    ]);
    expect([left.value, right.value].sort()).toContainEqual(11);
    expect((await subject.run(() => db.get('n')))?.text()).toBe('11');
  });

  test('what a program throws is what its run throws, and the cluster lives on', async () => {
    const subject = cluster();
    const db = subject.client();
    await subject.run(() => db.put('a', '1'));
    await expect(subject.run(() => db.put('a', '2', { ifAbsent: true }))).rejects.toThrow(ConflictError);
    await expect(
      subject.run(() => {
        throw new RangeError('before the first promise');
      }),
    ).rejects.toThrow('before the first promise');
    expect((await subject.run(() => db.get('a')))?.text()).toBe('1');
  });

  test('a program that waits for something else is told so in bounded time', async () => {
    const subject = cluster();
    const before = subject.now();
    await expect(subject.run(() => new Promise(() => {}))).rejects.toThrow(
      'the program has not ended within 60000 ms of virtual time; it waits for no call of a client',
    );
    expect(subject.now() - before).toBeCloseTo(60_000, 3);
    subject.powerCut(...subject.stores);
    const db = subject.client();
    await expect(subject.run(() => db.put('a', '1'), { withinMs: 500 })).rejects.toThrow(
      '1 calls of clients',
    );
  });

  test('a call that is awaited outside of a run is noticed', async () => {
    vi.useFakeTimers();
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      const db = cluster().client();
      db.put('a', '1').catch(() => {});
      vi.advanceTimersByTime(2_000);
      expect(warn).toHaveBeenCalledWith(expect.stringContaining('use it within cluster.run'));
    } finally {
      warn.mockRestore();
      vi.useRealTimers();
    }
  });
});

describe('faults', () => {
  test('what was acknowledged survives a power cut of all stores', async () => {
    const subject = cluster({ seed: 3 });
    const db = subject.client();
    await subject.run(async () => {
      for (let number = 0; number < 20; number++) await db.put(`k${number}`, 'there');
      subject.powerCut(...subject.stores);
      expect(subject.stores.some((store) => subject.isUp(store))).toBe(false);
      await subject.advance(1_000);
      subject.recover();
      for (let number = 0; number < 20; number++) expect((await db.get(`k${number}`))?.text()).toBe('there');
    });
    subject.check();
  });

  test('a leader that is killed is followed by another one, and comes back', async () => {
    const subject = cluster();
    const db = subject.client();
    const gid = subject.groupOf('a');
    const leader = subject.leaderOf('a') as string;
    expect(subject.leaderOf(gid)).toBe(leader);
    subject.kill(leader);
    expect(subject.isUp(leader)).toBe(false);
    await subject.run(() => db.put('a', '1'));
    expect(subject.leaderOf('a')).not.toBe(leader);
    subject.restart(leader);
    expect(subject.isUp(leader)).toBe(true);
    await subject.run(() => db.put('a', '2'));
    subject.check();
  });

  test('a client on the lesser side of a partition waits until it is healed', async () => {
    const subject = cluster();
    const [near, far] = [subject.client({ timeout: 2_000 }), subject.client({ name: 'far' })];
    await subject.run(async () => {
      await Promise.all([near.put('a', '1'), far.put('b', '1')]);
      subject.partition(['s1', 'c1'], ['s2', 's3', 'far']);
      await subject.advance(1_000);
      await expect(near.put('a', '2')).rejects.toMatchObject({ retry: 'backoff' });
      expect((await far.get('b'))?.text()).toBe('1');
      subject.heal();
      await near.put('a', '3');
    });
    subject.check();
  });

  test('a paused leader is replaced, and does not answer with the past when it goes on', async () => {
    const subject = cluster();
    const db = subject.client();
    await subject.run(async () => {
      await db.put('a', '1');
      const leader = subject.leaderOf('a') as string;
      subject.pause(leader);
      await db.put('a', '2');
      subject.resume(leader);
      for (let round = 0; round < 20; round++) expect((await db.get('a'))?.text()).toBe('2');
    });
    subject.check();
  });

  test('a slow network and a slow disk cost time, and their end gives it back', async () => {
    const subject = cluster({ seed: 2, stores: 1 });
    const db = subject.client();
    const cost = async (): Promise<number> => {
      const before = subject.now();
      await subject.run(() => db.put('a', '1'));
      return subject.now() - before;
    };
    await cost();
    const usual = await cost();
    subject.slow('s1', 'c1', 50);
    expect(await cost()).toBeGreaterThan(100);
    subject.heal();
    subject.slowDisk('s1', 80);
    expect(await cost()).toBeGreaterThan(80);
    subject.recover();
    await subject.advance(500);
    expect(await cost()).toBeLessThan(usual + 40);
  });

  test('groups join and leave and shards move by the admin face of the client', async () => {
    const subject = cluster({ stores: 4, groups: 1 });
    const db = subject.client();
    await subject.run(async () => {
      for (let number = 0; number < 30; number++) await db.put(`k${number}`, String(number));
      await db.admin.join({ 2: ['s2', 's3', 's4'] });
      while ((await db.admin.moves()).length > 0) await subject.advance(100);
      expect(new Set(Array.from({ length: 30 }, (_, at) => subject.groupOf(`k${at}`)))).toEqual(
        new Set([1, 2]),
      );
      subject.kill('s4');
      await db.admin.leave(1);
      while ((await db.admin.moves()).length > 0) await subject.advance(100);
      for (let number = 0; number < 30; number++)
        expect((await db.get(`k${number}`))?.text()).toBe(String(number));
    });
    expect(subject.groupOf('k1')).toBe(2);
    subject.check();
  });
});

describe('storms', () => {
  test('a storm strikes by the seed, ends by itself, and loses nothing that was acknowledged', async () => {
    const hashes = new Set<string>();
    for (const seed of [1, 2, 2]) {
      const subject = cluster({ seed });
      const db = subject.client({ timeout: 60_000 });
      await subject.run(async () => {
        const storm = subject.storm(8_000);
        for (let number = 1; number <= 100; number++) {
          expect((await db.increment('n')).value).toBe(number);
          await subject.advance(60);
        }
        await storm;
        expect((await db.get('n'))?.text()).toBe('100');
      });
      expect(subject.story(200).some((line) => line.includes('fault: '))).toBe(true);
      expect(subject.stores.every((store) => subject.isUp(store))).toBe(true);
      subject.check();
      hashes.add(subject.hash);
    }
    expect(hashes.size).toBe(2);
  });

  test('a storm of one kind has no other faults', async () => {
    const subject = cluster();
    await subject.run(() => subject.storm(20_000, ['crash']));
    const faults = subject.story(200).filter((line) => line.includes('fault: '));
    expect(faults.length).toBeGreaterThan(1);
    expect(faults.filter((line) => !/ (crashes|is started)$/.test(line))).toEqual([]);
    await expect(subject.storm(10, ['rain' as never])).rejects.toThrow(
      'a storm has no rain: choose among crash',
    );
  });
});

describe('checks', () => {
  test('histories are recorded with all conditions, and leave out what expires or is deleted by range', async () => {
    const subject = cluster();
    const db = subject.client();
    await subject.run(async () => {
      const { version } = await db.put('a', 'é', { ifAbsent: true });
      await db.put('a', '2', { ifVersion: version });
      await db.put('a', '3', { ifValue: '2' });
      await expect(db.put('a', '4', { ifValue: '2' })).rejects.toThrow(ConflictError);
      await db.append('a', '4', { ifPresent: true });
      await db.increment('a', -7);
      await expect(db.increment('a', 2n ** 63n - 1n).then(() => db.increment('a', 100))).rejects.toThrow();
      await db.delete('a');
      await db.getMany(['a', 'b']);
      await db.put('passing', '1', { ttl: 50 });
      await subject.advance(5_000);
      expect(await db.get('passing')).toBeUndefined();
      await db.put('range/1', '1');
      await db.deleteRange({ prefix: 'range/' });
      expect(await db.get('range/1')).toBeUndefined();
    });
    subject.check();
    expect(subject.story(100).join('\n')).toMatch(/client c1 .* put "2" if version \d+ on a: ok/);
  });

  test('what a check finds while time passes ends all programs, with seed and story', async () => {
    let isBroken = false;
    const subject = cluster({
      seed: 9,
      trace: () => {
        if (isBroken) throw new CheckFailure('election safety', 'two leaders');
      },
    });
    const db = subject.client();
    await subject.run(() => db.put('a', '1'));
    isBroken = true;
    const programs = [subject.run(() => db.put('b', '1')), subject.advance(100_000)];
    await Promise.all(programs.map((program) => expect(program).rejects.toThrow(CheckFailure)));
    const told = /^election safety: two leaders \(seed 9, after [\d.]+ ms\)\n[\s\S]*put "1" on a: ok/;
    await expect(subject.run(() => 1)).rejects.toThrow(told);
    expect(() => subject.check()).toThrow(told);
    expect(() => subject.kill('s1')).toThrow(told);
  });
});

describe('mistakes in tests', () => {
  test('a wrong name is told together with the right ones', () => {
    const subject = cluster();
    subject.client({ name: 'alice' });
    expect(() => subject.kill('s4')).toThrow('there is no store s4: this cluster has s1, s2, s3');
    expect(() => subject.partition(['s1', 'bob'])).toThrow('there is no store bob');
    expect(() => subject.partition(['s1'], ['s2', 's1'])).toThrow('s1 cannot be on two sides');
    expect(() => subject.partition()).toThrow('needs names');
    expect(() => subject.client({ name: 'alice' })).toThrow('alice is taken');
    expect(() => subject.client({ name: 's1' })).toThrow('s1 is taken');
    subject.client({ name: 'c3' });
    expect(() => subject.client()).not.toThrow();
    expect(() => subject.client({ name: 'a:b' })).toThrow('cannot name a client');
    subject.partition(['alice'], ['s1', 's2']);
  });

  test('a store that is down cannot be killed once more', () => {
    const subject = cluster();
    subject.kill('s1');
    expect(() => subject.kill('s1')).toThrow('s1 is down and cannot be killed: restart it first');
    expect(() => subject.pause('s1')).toThrow('restart it first');
  });

  test('options out of range are refused', async () => {
    expect(() => testCluster({ stores: 0 })).toThrow('stores must be a whole number from 1 to 9, not 0');
    expect(() => testCluster({ groups: 4, shards: 3 })).toThrow('shards must be a whole number from 4');
    expect(() => testCluster({ seed: -1 })).toThrow('seed must be');
    await expect(cluster().advance(-1)).rejects.toThrow('not by -1');
  });

  test('a closed cluster says so, and ends what waits for it', async () => {
    const subject = cluster();
    const db = subject.client();
    const waiting = subject.run(() => new Promise(() => {}));
    const call = db.put('a', '1');
    subject.close();
    subject.close();
    await expect(waiting).rejects.toThrow('this cluster is closed');
    await expect(call).rejects.toMatchObject({ code: 'FLOTILLA_CLOSED' });
    await expect(subject.run(() => 1)).rejects.toThrow('this cluster is closed');
    await expect(subject.advance(1)).rejects.toThrow('this cluster is closed');
    expect(() => subject.client()).toThrow('this cluster is closed');
    expect(() => subject.kill('s1')).toThrow('this cluster is closed');
    subject.check();
  });
});
