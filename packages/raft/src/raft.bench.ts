import { APPEND_THREAD, APPLY_THREAD, type Message, type RaftId } from '@flotilla/base';
import { TestCluster } from './test-cluster.ts';

/**
 * Entries per second through three nodes in memory, with asynchronous storage: the core alone, no bytes copied.
 * `node --conditions=flotilla-source packages/raft/src/raft.bench.ts [seconds]`
 */

const BATCH = 256;
const PAYLOAD = new Uint8Array(64);

class Bench {
  readonly cluster = new TestCluster(3, {
    config: { asyncStorageWrites: true, preVote: true, checkQuorum: true },
  });
  readonly #data = new Array<Uint8Array>(BATCH).fill(PAYLOAD);

  constructor() {
    this.cluster.elect(1);
  }

  #deliver(id: RaftId, messages: readonly Message[]): void {
    for (const message of messages) {
      const member = this.cluster.member(id);
      if (message.to === APPEND_THREAD) {
        member.storage.append(message.entries);
        this.#deliver(id, message.responses);
      } else if (message.to === APPLY_THREAD) {
        this.#deliver(id, message.responses);
      } else {
        this.cluster.node(message.to).step(message);
      }
    }
  }

  round(batches: number): void {
    const leader = this.cluster.node(1);
    for (let batch = 0; batch < batches; batch++) leader.propose(this.#data);
    for (let busy = true; busy; ) {
      busy = false;
      for (const [id, { node }] of this.cluster.members) {
        if (!node.hasReady()) continue;
        busy = true;
        this.#deliver(id, node.ready().messages);
      }
    }
    for (const { node, storage } of this.cluster.members.values()) {
      if (node.appliedIndex - storage.firstIndex() > 50_000) storage.compact(node.appliedIndex - 1_000);
    }
  }
}

const seconds = Number(process.argv[2] ?? 2);
for (const batches of [1, 8]) {
  const run = new Bench();
  for (let warm = 0; warm < 2_000; warm += batches) run.round(batches);
  const begin = performance.now();
  let entries = 0;
  while (performance.now() - begin < seconds * 1_000) {
    run.round(batches);
    entries += batches * BATCH;
  }
  const perSecond = (entries / (performance.now() - begin)) * 1_000;
  console.log(
    `${batches} x ${BATCH} entries in flight: ${Math.round(perSecond).toLocaleString('en')} entries/s`,
  );
}
