import { BatchStatus, Status, sessionLimits } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { answers, type SeenWrite } from '../testing/fake-store.ts';
import { Harness } from '../testing/harness.ts';

/** Where and as what a key was sent, attempt by attempt. */
function attempts(harness: Harness, key: string): string[] {
  return harness.cluster.writes.flatMap((seen) =>
    seen.commands
      .filter((command) => command.name === key)
      .map((command) => `${seen.session}/${command.seq}`),
  );
}

function value(harness: Harness, key: string): string {
  const shard = harness.cluster.shards[harness.cluster.shardOfKey(key)];
  const record = [...(shard?.records.values() ?? [])].find(
    (each) => new TextDecoder().decode(each.key) === key,
  );
  return new TextDecoder().decode(record?.value);
}

const once = (action: 'break' | 'serve-then-break') => {
  let isDone = false;
  return () => {
    if (isDone) return 'serve' as const;
    isDone = true;
    return action;
  };
};

test('a write whose connection broke after it was executed is repeated under the same number and applied once', () => {
  const harness = new Harness({ groups: [1] }).warm();
  harness.cluster.store('s1').script = once('serve-then-break');
  const write = harness.append('a', 'x');
  harness.time.advance(500);
  expect(write.end).toBe('ok');
  expect(value(harness, 'a')).toBe('x');
  const sent = attempts(harness, 'a');
  expect(sent.length).toBeGreaterThanOrEqual(2);
  expect(new Set(sent).size).toBe(1);
});

test('a repeat keeps session and number over notLeader, unknown, moved and a change of store', () => {
  const harness = new Harness({ shards: 4 }).warm();
  const key = harness.cluster.keyIn(0);
  const other = harness.cluster.keyIn(2);
  let step = 0;
  harness.cluster.store('s1').script = (seen) => {
    if (seen.gid !== 1) return 'serve';
    step++;
    if (step === 1) return { bare: BatchStatus.unknown };
    if (step === 2) {
      harness.cluster.leaders.set(1, 's3');
      return { notLeader: 's3' };
    }
    return 'serve';
  };
  harness.cluster.store('s3').script = () => {
    const shard = harness.cluster.shards[0];
    if (shard !== undefined) Object.assign(shard, { owner: 2, epoch: 2 });
    return 'serve';
  };
  const writes = [harness.append(key, 'x'), harness.append(other, 'y')];
  harness.time.advance(2000);
  expect(writes.map((write) => write.end)).toEqual(['ok', 'ok']);
  for (const name of [key, other]) expect(new Set(attempts(harness, name)).size).toBe(1);
  expect(harness.doubles()).toEqual([]);
  expect(value(harness, key)).toBe('x');
});

test('the floor that is sent stays at the lowest open number while later ones are answered', () => {
  const harness = new Harness({ shards: 2, stores: ['s1'], groups: [1, 2] }).warm();
  const [slow, fast] = [harness.cluster.keyIn(0), harness.cluster.keyIn(1)];
  harness.cluster.store('s1').script = (seen) => (seen.gid === 1 ? 'ignore' : 'serve');
  const stuck = harness.write(slow);
  harness.time.advance(5);
  for (let round = 0; round < 3; round++) {
    harness.write(fast);
    harness.time.advance(5);
  }
  const floors = harness.cluster.writes.map((seen) => [seen.floor, seen.commands[0]?.seq]);
  expect(floors).toEqual([
    [1, 1],
    [1, 2],
    [1, 3],
    [1, 4],
  ]);
  harness.core.giveUp(stuck, 'aborted', 'enough');
  expect(stuck.end).toBe('aborted/unknown');
  harness.write(fast);
  harness.time.advance(5);
  expect(harness.cluster.writes.at(-1)?.floor).toBe(5);
});

test('a write that was given up before it was sent was not applied, and leaves no number behind', () => {
  const harness = new Harness({ groups: [1] }).warm();
  const write = harness.write('a');
  harness.core.giveUp(write, 'aborted', 'changed my mind');
  expect(write.end).toBe('aborted/not-applied');
  harness.time.advance(100);
  expect(harness.cluster.writes).toEqual([]);
  harness.write('b');
  harness.time.advance(10);
  expect(harness.cluster.writes[0]?.commands[0]?.seq).toBe(1);
  expect(write.settledTimes).toBe(1);
});

test('a refused attempt does not end the doubt that a lost one left', () => {
  const harness = new Harness({ groups: [1] }).warm();
  let step = 0;
  const script = () => {
    step++;
    if (step === 1) return 'serve-then-break' as const;
    return { result: answers.notReady(100) };
  };
  for (const store of harness.cluster.stores.values()) store.script = script;
  const write = harness.append('a', 'x', 1000);
  harness.time.advance(1100);
  expect(write.end).toBe('deadline/unknown');
  const clean = new Harness({ groups: [1] }).warm();
  for (const store of clean.cluster.stores.values()) store.script = () => ({ result: answers.notReady(100) });
  const refused = clean.append('a', 'x', 1000);
  clean.time.advance(1100);
  expect(refused.end).toBe('deadline/not-applied');
});

test('with the window full new writes wait, and what is stuck lets them go when it ends (C3)', () => {
  const harness = new Harness({ shards: 2, stores: ['s1'], groups: [1, 2], operationsMax: 20_000 }).warm();
  const [slow, fast] = [harness.cluster.keyIn(0), harness.cluster.keyIn(1)];
  const { window } = sessionLimits;
  let isStuck = true;
  harness.cluster.store('s1').script = (seen) => (seen.gid === 1 && isStuck ? 'ignore' : 'serve');
  const stuck = harness.write(slow);
  harness.time.advance(3);
  const writes = Array.from({ length: window + 50 }, () => harness.write(fast));
  harness.time.advance(100);
  const answered = () => writes.filter((write) => write.end === 'ok').length;
  expect(answered()).toBe(window - 1);
  for (const seen of harness.cluster.writes) {
    for (const command of seen.commands) expect(command.seqOffset).toBeLessThan(window);
  }
  isStuck = false;
  harness.core.giveUp(stuck, 'aborted', 'enough');
  harness.time.advance(50);
  expect(answered()).toBe(window + 50);
});

test('a write that stays stuck costs the others half a second: they go on under another session', () => {
  const harness = new Harness({ shards: 2, stores: ['s1'], groups: [1, 2], operationsMax: 20_000 }).warm();
  const [slow, fast] = [harness.cluster.keyIn(0), harness.cluster.keyIn(1)];
  harness.cluster.store('s1').script = (seen) => (seen.gid === 1 ? 'ignore' : 'serve');
  const stuck = harness.write(slow, {}, 5000);
  harness.time.advance(3);
  const writes = Array.from({ length: 6000 }, () => harness.write(fast, {}, 5000));
  harness.time.advance(1500);
  expect(writes.every((write) => write.end === 'ok')).toBe(true);
  expect(stuck.end).toBe('open');
  expect(new Set(harness.cluster.writes.map((seen) => seen.session)).size).toBe(2);
});

test('a session takes no new numbers after its time of use, without a pause for the writers', () => {
  const harness = new Harness({ groups: [1], stores: ['s1'] }).warm();
  const used = new Set<string>();
  let slowest = 0;
  for (let minute = 0; minute < 40; minute++) {
    const write = harness.write('a');
    const begin = harness.time.monoMs();
    while (write.end === 'open') harness.time.runNext();
    slowest = Math.max(slowest, harness.time.monoMs() - begin);
    harness.time.advance(60_000);
  }
  for (const seen of harness.cluster.writes) used.add(seen.session);
  expect(used.size).toBe(3);
  expect(slowest).toBeLessThan(10);
  const first = harness.cluster.writes.filter((seen) => seen.session === [...used][0]) as SeenWrite[];
  const ages = first.map((seen) => seen.atMs - (first[0]?.atMs ?? 0));
  expect(Math.max(...ages)).toBeLessThan(sessionLimits.use);
});

test('an idle client gets a new session before it writes again', () => {
  const harness = new Harness({ groups: [1], stores: ['s1'] }).warm();
  harness.write('a');
  harness.time.advance(20 * 60_000);
  const write = harness.write('a');
  harness.time.advance(500);
  expect(write.end).toBe('ok');
  expect(new Set(harness.cluster.writes.map((seen) => seen.session)).size).toBe(2);
});

test('a write in doubt is repeated under its old session until its time of retry, and no longer', () => {
  const harness = new Harness({ groups: [1], stores: ['s1'], timeoutMs: 3_600_000 }).warm();
  harness.cluster.store('s1').script = (seen) =>
    seen.kind === 'write' && seen.commands[0]?.name === 'a' ? 'break' : 'serve';
  const write = harness.append('a', 'x');
  harness.time.advance(sessionLimits.use + sessionLimits.retry + 60_000);
  expect(write.end).toBe('session-expired/unknown');
  expect(new Set(attempts(harness, 'a')).size).toBe(1);
  const last = harness.cluster.writes.at(-1)?.atMs ?? 0;
  expect(last).toBeGreaterThan(sessionLimits.use);
  expect(last).toBeLessThan(sessionLimits.use + sessionLimits.retry);
});

test('after SessionExpired a write that was surely not executed goes on under a new session', () => {
  const harness = new Harness({ groups: [1], stores: ['s1'] }).warm();
  let isFirst = true;
  harness.cluster.store('s1').script = () => {
    if (!isFirst) return 'serve';
    isFirst = false;
    return { result: answers.sessionExpired };
  };
  const write = harness.append('a', 'x');
  harness.time.advance(2000);
  expect(write.end).toBe('ok');
  expect(value(harness, 'a')).toBe('x');
  expect(new Set(attempts(harness, 'a').map((name) => name.split('/')[0])).size).toBe(2);
});

test('after SessionExpired a write in doubt ends with an unknown outcome and is not sent again (C2)', () => {
  const harness = new Harness({ groups: [1], stores: ['s1'] }).warm();
  let step = 0;
  harness.cluster.store('s1').script = () => {
    step++;
    return step === 1 ? 'serve-then-break' : { result: answers.sessionExpired };
  };
  const write = harness.append('a', 'x');
  harness.time.advance(3000);
  expect(write.end).toBe('session-expired/unknown');
  expect(step).toBe(2);
  expect(value(harness, 'a')).toBe('x');
});

test('writes to a store that issues no session use that of another store', () => {
  const harness = new Harness({ groups: [1] }, (cluster) => {
    cluster.store('s1').issuesSessions = false;
  }).connect();
  const write = harness.write('a', {}, 5000);
  harness.time.advance(1000);
  expect(write.end).toBe('ok');
  expect(harness.cluster.writes.at(-1)?.store).toBe('s1');
});

test('a batch with one bad command among good ones fails that one only', () => {
  const harness = new Harness({ groups: [1] }).warm();
  harness.write('text');
  const bad = harness.write('text', { op: 4, value: new TextEncoder().encode('1') });
  const good = harness.write('other');
  harness.time.advance(20);
  expect([bad.end, good.end]).toEqual([`status ${Status.notANumber}`, 'ok']);
  expect(harness.cluster.writes.length).toBe(1);
});

test('under a storm of lost connections every acknowledged append is there once, in the order of its writer', () => {
  const harness = new Harness({ timeoutMs: 60_000 }).warm();
  let frames = 0;
  for (const store of harness.cluster.stores.values()) {
    store.script = (seen) => {
      frames++;
      if (seen.kind === 'write' && frames % 7 === 0) return 'serve-then-break';
      if (frames % 11 === 0) return 'break';
      if (frames % 13 === 0) return { bare: BatchStatus.unknown };
      return 'serve';
    };
  }
  const keys = Array.from({ length: 16 }, (_, at) => `log${at}`);
  const count = new Map(keys.map((key) => [key, 0]));
  const failures: string[] = [];
  const next = (key: string): void => {
    const number = (count.get(key) ?? 0) + 1;
    if (number > 40) return;
    count.set(key, number);
    const write = harness.append(key, `${number};`);
    write.onSettled = () => {
      if (write.end !== 'ok') failures.push(write.end);
      next(key);
    };
  };
  for (const key of keys) next(key);
  harness.time.advance(300_000);
  expect(failures).toEqual([]);
  const whole = `${Array.from({ length: 40 }, (_, at) => at + 1).join(';')};`;
  for (const key of keys) expect(value(harness, key)).toBe(whole);
  expect(harness.doubles()).toEqual([]);
  expect(harness.core.openOperations).toBe(0);
});
