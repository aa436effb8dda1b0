import { FrameKind } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Bench, type BenchStore } from './bench.ts';

function controllerLeader(bench: Bench): BenchStore {
  return bench.leader(0);
}

test('a change asked of any store reaches the controller, and a repeat gets the first answer', () => {
  const bench = new Bench().bootstrap();
  const replies = bench.stores.map((store) => {
    const slot = bench
      .client(store)
      .admin('join', { requestId: 'same', groups: [{ gid: 4, stores: ['s1', 's2', 's3'] }] });
    bench.until(() => slot.value !== undefined);
    return slot.value;
  });
  expect(replies[0]).toMatchObject({ ok: true });
  expect(replies[1]).toEqual(replies[0]);
  expect(replies[2]).toEqual(replies[0]);
});

test('with the controller out of reach every request gets an answer that says so', () => {
  const bench = new Bench().bootstrap();
  const alone = bench.stores.find((store) => store !== controllerLeader(bench)) as BenchStore;
  for (const store of bench.stores) if (store !== alone) store.crash();
  bench.run(3_000);
  const client = bench.client(alone);
  const slots = [
    client.admin('join', { requestId: 'x', groups: [{ gid: 4, stores: ['s1'] }] }),
    client.admin('config', {}),
    client.admin('status', { after: '' }),
  ];
  bench.until(() => slots.every((slot) => slot.value !== undefined), 10_000);
  expect(slots[0]?.value).toMatchObject({ ok: false, code: 'no-leader', retry: 'backoff' });
  expect(slots[1]?.value).toMatchObject({ ok: false, code: 'no-leader' });
  const page = slots[2]?.value as unknown as { result: { problems: { what: string; next: string }[] } };
  const words = page.result.problems.map(({ what }) => what).join('\n');
  expect(words).toContain('the controller group has no leader');
  for (const { next } of page.result.problems) expect(next.length).toBeGreaterThan(10);
});

test('a controller leader that is cut off while it changes something says that the outcome is unknown', () => {
  const bench = new Bench().bootstrap();
  const leader = controllerLeader(bench);
  const client = bench.client(leader);
  const others = bench.stores.filter((store) => store !== leader);
  bench.hub.policy = {
    route: (from, to) =>
      from.startsWith('client') || to.startsWith('client') ? 0.3 : Number.POSITIVE_INFINITY,
  };
  const slot = client.admin('join', { requestId: 'x', groups: [{ gid: 4, stores: ['s1', 's2', 's3'] }] });
  bench.until(() => slot.value !== undefined, 20_000);
  expect(slot.value).toMatchObject({ ok: false, code: 'unknown-outcome', retry: 'backoff' });
  bench.hub.policy = { route: () => 0.3 };
  bench.hub.release();
  for (const other of others) expect(other.fatal).toEqual([]);
  const again = client.admin('join', { requestId: 'x', groups: [{ gid: 4, stores: ['s1', 's2', 's3'] }] });
  bench.until(() => again.value !== undefined, 20_000);
});

test('an answer of another store that cannot be read is an answer all the same', () => {
  const bench = new Bench().bootstrap();
  const leader = controllerLeader(bench);
  const asked = bench.stores.find((store) => store !== leader) as BenchStore;
  // Whatever another store answers is damaged inside of a sound frame, as by another version.
  const links = bench.linksOf(leader);
  const send = links.send.bind(links);
  links.send = (to, lane, kind, body, urgency) => {
    if (kind === FrameKind.adminForwardReply) body.fill(0xc1, 8);
    return send(to, lane, kind, body, urgency);
  };
  const client = bench.client(asked);
  const change = client.admin('join', { requestId: 'x', groups: [{ gid: 4, stores: ['s1'] }] });
  const status = client.admin('status', { after: '' });
  bench.until(() => change.value !== undefined && status.value !== undefined, 10_000);
  expect(change.value).toMatchObject({ ok: false, code: 'no-answer', retry: 'backoff' });
  expect(status.value).toMatchObject({ ok: true });
  expect(asked.fatal).toEqual([]);
});

test('garbage in the place of a question between stores ends nothing', () => {
  const bench = new Bench().bootstrap();
  const [from, to] = bench.stores as [BenchStore, BenchStore];
  for (const value of [
    undefined,
    null,
    true,
    7,
    'text',
    [],
    {},
    { internal: 'command' },
    { internal: 'x' },
  ]) {
    bench.ask(from, to, value);
  }
  bench.run(1_000);
  for (const store of bench.stores) {
    expect(store.isRunning).toBe(true);
    expect(store.fatal).toEqual([]);
  }
});

test('a replica that could not be opened is in the status, and the store is not ready', () => {
  const bench = new Bench().serving();
  const sick = bench.stores.find((store) => store !== bench.leader(1)) as BenchStore;
  const group = sick.node.host.replica(1)?.group;
  if (group === undefined) throw new Error('no replica');
  sick.log.corrupt(group);
  sick.crash();
  sick.start();
  bench.run(1_000);
  expect(sick.node.host.replica(1)).toBeUndefined();
  expect(sick.node.readiness().reasons.join()).toContain('is quarantined');
  const slot = bench.client(sick).admin('status', { after: '' });
  bench.until(() => slot.value !== undefined);
  const page = slot.value as unknown as { result: { problems: { what: string }[] } };
  expect(page.result.problems.map(({ what }) => what).join('\n')).toMatch(
    /replica of group 1 on s\d stopped/,
  );
});
