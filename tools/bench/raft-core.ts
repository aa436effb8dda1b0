// The consensus core alone: three cores wired in memory with asynchronous storage, no disk, no network, no bytes copied.
//
//   node tools/bootstrap.mjs tools/bench/raft-core.ts [--seconds 3]
//
// A batch is proposed at the leader, and goes through append, acknowledgement, commit and application on all three
// before the next one is proposed. Storage is a list in memory that is shortened from time to time. Reported are
// entries per second of wall time, entries per second of user CPU time (which does not depend on what else the machine
// does), and bytes of heap allocated per entry on all three nodes together. Those are counted in a process of its own
// whose young generation is so large that no collection comes in between: the growth of the used heap is then what was
// allocated. Ticks are counted over followers that hear their leader once per shortest election timeout.
import { spawnSync } from 'node:child_process';
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type Message,
  MessageKind,
  type RaftId,
} from '../../packages/base/src/index.ts';
import { RaftNode } from '../../packages/raft/src/index.ts';
import { confOf, MemoryStorage, messageOf, TEST_CONFIG } from '../../packages/raft/src/testing.ts';

const ENTRY_BYTES = 128;
const BATCHES = [1, 16, 256];
const FOLLOWERS = 1_000;
const LOG_ENTRIES_MAX = 5_000;
const COUNTED_ENTRIES = 20_480;

const { values: options } = parseArgs({
  options: { seconds: { type: 'string', default: '3' }, allocations: { type: 'boolean', default: false } },
});
const seconds = Number(options.seconds);

class Member {
  readonly storage = new MemoryStorage();
  readonly node: RaftNode;

  constructor(id: RaftId, random: number) {
    this.storage.setConfState(confOf([1, 2, 3]));
    this.node = new RaftNode({
      ...TEST_CONFIG,
      id,
      storage: this.storage,
      applied: 0,
      asyncStorageWrites: true,
      preVote: true,
      checkQuorum: true,
      random: (limit) => random % limit,
    });
  }
}

class Group {
  readonly members: readonly Member[] = [1, 2, 3].map((id) => new Member(id, id));
  readonly #leader = this.members[0] as Member;
  readonly #data: readonly Uint8Array[];

  constructor(batch: number) {
    this.#data = new Array<Uint8Array>(batch).fill(new Uint8Array(ENTRY_BYTES));
    this.#leader.node.campaign();
    this.#settle();
  }

  /** One batch, until all three have applied it. */
  commitBatch(): void {
    this.#leader.node.propose(this.#data);
    this.#settle();
  }

  #settle(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const member of this.members) {
        if (!member.node.hasReady()) continue;
        busy = true;
        this.#deliver(member, member.node.ready().messages);
      }
    }
    for (const { node, storage } of this.members) {
      if (node.appliedIndex - storage.firstIndex() > LOG_ENTRIES_MAX) storage.compact(node.appliedIndex - 1);
    }
  }

  #deliver(sender: Member, messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.to === APPEND_THREAD) {
        sender.storage.append(message.entries);
        this.#deliver(sender, message.responses);
      } else if (message.to === APPLY_THREAD) {
        this.#deliver(sender, message.responses);
      } else {
        (this.members[message.to - 1] as Member).node.step(message);
      }
    }
  }
}

interface Rate {
  readonly perWallSecond: number;
  readonly perCpuSecond: number;
}

/** Repeats `work`, which does `count` things each time, for the asked time; the first second does not count. */
function measure(count: number, work: () => void): Rate {
  const forSeconds = (duration: number): Rate => {
    const begin = performance.now();
    const cpuBegin = process.cpuUsage().user;
    let done = 0;
    while (performance.now() - begin < duration * 1_000) {
      for (let round = 0; round < 100; round++) work();
      done += 100 * count;
    }
    const wallSeconds = (performance.now() - begin) / 1_000;
    const cpuSeconds = (process.cpuUsage().user - cpuBegin) / 1_000_000;
    return { perWallSecond: done / wallSeconds, perCpuSecond: done / cpuSeconds };
  };
  forSeconds(1);
  return forSeconds(seconds);
}

function measureTicks(): Rate {
  const followers = Array.from({ length: FOLLOWERS }, (_, at) => new Member(2, at).node);
  const heartbeat = messageOf({ kind: MessageKind.heartbeat, from: 1, to: 2, term: 1 });
  let ticks = 0;
  return measure(FOLLOWERS, () => {
    for (const follower of followers) follower.tick();
    if (++ticks % TEST_CONFIG.electionTicks !== 0) return;
    for (const follower of followers) {
      follower.step(heartbeat);
      follower.ready();
    }
  });
}

/** Bytes of heap per entry, by batch size. Fails if the collector came in between. */
async function countAllocations(): Promise<readonly number[]> {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  const results: number[] = [];
  for (const batch of BATCHES) {
    const group = new Group(batch);
    const rounds = Math.ceil(COUNTED_ENTRIES / batch);
    const run = (): void => {
      for (let round = 0; round < rounds; round++) group.commitBatch();
    };
    run();
    globalThis.gc?.();
    await nextTurn();
    observer.observe({ entryTypes: ['gc'] });
    const before = process.memoryUsage().heapUsed;
    run();
    results.push((process.memoryUsage().heapUsed - before) / (rounds * batch));
    await nextTurn();
    observer.disconnect();
  }
  if (collections > 0) throw new Error(`${collections} collections while allocations were counted`);
  return results;
}

function allocationsOfOwnProcess(): readonly number[] {
  const flags = ['--min-semi-space-size=512', '--max-semi-space-size=512', '--expose-gc'];
  const args = [...process.execArgv, ...flags, fileURLToPath(import.meta.url), '--allocations'];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const number = (value: number): string => Math.round(value).toLocaleString('en');

if (options.allocations) {
  process.stdout.write(JSON.stringify(await countAllocations()));
} else {
  const allocated = allocationsOfOwnProcess();
  for (const [at, batch] of BATCHES.entries()) {
    const group = new Group(batch);
    const { perWallSecond, perCpuSecond } = measure(batch, () => group.commitBatch());
    process.stdout.write(
      `batch ${batch}: ${number(perWallSecond)} entries/s, ${number(perCpuSecond)} per second of CPU, ${number(allocated[at] ?? 0)} bytes allocated per entry\n`,
    );
  }
  const { perWallSecond, perCpuSecond } = measureTicks();
  process.stdout.write(
    `${number(FOLLOWERS)} followers: ${number(perWallSecond)} ticks/s, ${number(perCpuSecond)} per second of CPU\n`,
  );
}
