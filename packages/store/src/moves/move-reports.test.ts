import type { AdminReply } from '@flotilla/wire';
import { beforeEach, expect, test } from 'vitest';
import type { InternalCommand } from '../admin/changes.ts';
import { MoveReports } from './move-reports.ts';
import type { MoveWorld } from './move-world.ts';

const ok: AdminReply = { ok: true, result: {} };
const failed: AdminReply = { ok: false, code: 'no-leader', message: 'try again', retry: 'backoff' };
const moves = (count: number) => Array.from({ length: count }, (_, shard) => ({ moveId: 17, shard }));

let now: number;
let sent: { command: InternalCommand; done: (reply: AdminReply) => void }[];
let reports: MoveReports;

beforeEach(() => {
  now = 0;
  sent = [];
  const world = {
    now: () => now,
    command: (command: InternalCommand, done: (reply: AdminReply) => void) =>
      void sent.push({ command, done }),
  } as unknown as MoveWorld;
  reports = new MoveReports(world, 'done');
});

test('one command at a time tells of 500 moves at most, and the next one of the others', () => {
  reports.tell(moves(501));
  reports.tell(moves(501));
  expect(sent.length).toBe(1);
  expect(sent[0]?.command).toMatchObject({ kind: 'done', moves: moves(500) });
  sent[0]?.done(ok);
  reports.tell(moves(501));
  expect(sent[1]?.command).toEqual({ kind: 'done', moves: [{ moveId: 17, shard: 500 }] });
});

test('what the controller took is told again only if no config shows it for half a second', () => {
  reports.tell(moves(1));
  sent[0]?.done(ok);
  now = 499;
  reports.tell(moves(1));
  expect(sent.length).toBe(1);
  now = 500;
  reports.tell(moves(1));
  expect(sent.length).toBe(2);
});

test('what it may not have taken is told again at once', () => {
  reports.tell(moves(1));
  sent[0]?.done(failed);
  reports.tell(moves(1));
  expect(sent.length).toBe(2);
});

test('nothing to tell is not told', () => {
  reports.tell([]);
  expect(sent).toEqual([]);
});
