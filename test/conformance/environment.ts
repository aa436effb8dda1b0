import { APPEND_THREAD, APPLY_THREAD, type Message, MessageKind, type RaftId } from '@flotilla/base';
import { isVoter, messageKindName, type StepResult } from '@flotilla/raft';
import { draft } from '@flotilla/raft/testing';
import { Output } from './output.ts';
import { MalformedError } from './parser.ts';
import { renderEntry, renderMessage, renderProgressMap, renderReady, renderRole } from './render.ts';
import type { TestNode } from './test-node.ts';

/** An error that belongs to the expected text of a case. */
export class CommandError extends Error {}

const STEP_ERRORS: Readonly<Record<Exclude<StepResult, 'ok'>, string>> = {
  'local-message': 'raft: cannot step raft local message',
  'unknown-peer': 'raft: cannot step as peer not found',
  'proposal-dropped': 'raft proposal dropped',
  malformed: 'raft: malformed message',
  inconsistent: 'raft: message contradicts durable state',
};

/** Two nodes that answer each other for ever would keep a run from ever failing. */
const STABILIZE_ROUNDS_MAX = 10_000;

/** The nodes and the network of one file. */
export class Environment {
  readonly output = new Output();
  readonly nodes: TestNode[] = [];
  inFlight: Message[] = [];
  /** Random numbers for election timeouts. */
  readonly random: (limit: number) => number;

  constructor(random: (limit: number) => number) {
    this.random = random;
  }

  node(number: number): TestNode {
    const node = this.nodes[number - 1];
    if (node === undefined) throw new MalformedError(`there is no node ${number}`);
    return node;
  }

  processReady(number: number): void {
    const node = this.node(number);
    const ready = node.raft.ready();
    this.output.write(renderReady(ready));
    if (!node.isAsync) {
      node.persist(ready.hardState, ready.snapshot, ready.entries);
      node.apply(ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (message.to === APPEND_THREAD) node.appendWork.push(message);
      else if (message.to === APPLY_THREAD) node.applyWork.push(message);
      else this.inFlight.push(message);
    }
    if (!node.isAsync) node.raft.advance();
  }

  processAppendThread(number: number): void {
    const node = this.node(number);
    const work = node.appendWork.shift();
    if (work === undefined) {
      this.output.write('no append work to perform');
      return;
    }
    this.#announce(work);
    const { term, vote, commit } = work;
    const hardState = term !== 0 || vote !== 0 || commit !== 0 ? { term, vote, commit } : undefined;
    node.persist(hardState, work.snapshot, work.entries);
    this.#respond(work);
  }

  processApplyThread(number: number): void {
    const node = this.node(number);
    const work = node.applyWork.shift();
    if (work === undefined) {
      this.output.write('no apply work to perform');
      return;
    }
    this.#announce(work);
    node.apply(work.entries);
    this.#respond(work);
  }

  #announce(work: Message): void {
    this.output.write(`Processing:\n${renderMessage({ ...work, responses: [] })}\n`);
  }

  #respond(work: Message): void {
    this.output.write('Responses:\n');
    for (const response of work.responses) this.output.write(`${renderMessage(response)}\n`);
    this.inFlight.push(...work.responses);
  }

  /** Takes the messages for a recipient out of the network, in order, and steps or drops them. */
  deliver(to: RaftId, kindName: string | undefined, drop: boolean): number {
    const taken: Message[] = [];
    this.inFlight = this.inFlight.filter((message) => {
      const isLocal = message.from === message.to || message.from < 0 || message.to < 0;
      const hit =
        message.to === to &&
        !(drop && isLocal) &&
        (kindName === undefined || messageKindName(message.kind) === kindName);
      if (hit) taken.push(message);
      return !hit;
    });
    for (const message of taken) {
      this.output.write(`${drop ? 'dropped: ' : ''}${renderMessage(message)}\n`);
      if (drop) continue;
      const result = this.node(to).raft.step(message);
      if (result !== 'ok') this.output.write(`${STEP_ERRORS[result]}\n`);
    }
    return taken.length;
  }

  /** Lets the nodes work until nothing is left to do among them. */
  stabilize(numbers: readonly number[]): void {
    const { output } = this;
    let rounds = 0;
    for (let busy = true; busy; ) {
      busy = false;
      if (++rounds > STABILIZE_ROUNDS_MAX) throw new MalformedError('the nodes never come to rest');
      for (const number of numbers) {
        if (!this.node(number).raft.hasReady()) continue;
        busy = true;
        output.write(`> ${number} handling Ready\n`);
        output.indented(() => this.processReady(number));
      }
      for (const number of numbers) {
        if (!this.inFlight.some((message) => message.to === number)) continue;
        busy = true;
        output.write(`> ${number} receiving messages\n`);
        output.indented(() => this.deliver(number, undefined, false));
      }
      for (const number of numbers) {
        const { appendWork } = this.node(number);
        if (appendWork.length === 0) continue;
        busy = true;
        output.write(`> ${number} processing append thread\n`);
        while (appendWork.length > 0) output.indented(() => this.processAppendThread(number));
      }
      for (const number of numbers) {
        const { applyWork } = this.node(number);
        if (applyWork.length === 0) continue;
        busy = true;
        output.write(`> ${number} processing apply thread\n`);
        while (applyWork.length > 0) output.indented(() => this.processApplyThread(number));
      }
    }
  }

  /** Puts a snapshot on the network without the sender's raft knowing of it. */
  sendSnapshot(from: number, to: RaftId): void {
    const node = this.node(from);
    const message = draft(MessageKind.snap, to);
    message.from = from;
    message.term = node.raft.term;
    message.snapshot = node.latestSnapshot;
    this.inFlight.push(message);
    this.output.write(`${renderMessage(message)}\n`);
  }

  writeLog(number: number): void {
    const { storage } = this.node(number);
    const entries = storage.all();
    if (entries.length === 0) {
      const first = storage.firstIndex();
      this.output.write(`log is empty: first index=${first}, last index=${storage.lastIndex()}`);
      return;
    }
    for (const entry of entries) this.output.write(`${renderEntry(entry)}\n`);
  }

  writeStates(): void {
    for (const { raft } of this.nodes) {
      const voter = isVoter(raft.confState, raft.id) ? '(Voter)' : '(Non-Voter)';
      this.output.write(
        `${raft.id}: ${renderRole(raft.role)} ${voter} Term:${raft.term} Lead:${raft.leaderId}\n`,
      );
    }
  }

  writeStatus(number: number): void {
    this.output.write(renderProgressMap(this.node(number).raft.status().progress));
  }
}
