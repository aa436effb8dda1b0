/** A mechanical mutant that no test can tell from the core. */
export interface Survivor {
  /** {@link Place.name} */
  readonly place: string;
  /** Why nothing that anybody can see is different. */
  readonly why: string;
}

export const survivors: readonly Survivor[] = [
  {
    place: 'inflights.ts Inflights.freeUpTo: this.#first = 0; is dropped',
    why: 'where an empty ring begins makes no difference',
  },
  {
    place: 'log.ts RaftLog.slice: bytesLeft <= 0 becomes false',
    why: 'one entry would be fetched, which is larger than nothing, and left out for that: the line saves the look',
  },
  {
    place: 'log.ts RaftLog.slice: fitting < stable.length becomes fitting <= stable.length',
    why: 'a slice of the whole is a copy of it',
  },
  {
    place: 'messages.ts isTransferCampaign: at < context.length becomes at <= context.length',
    why: 'behind their ends, which are the same, both have nothing',
  },
  {
    place:
      "node.ts RaftNode.readIndex: core.role === 'candidate' || core.role === 'pre-candidate' becomes (core.role === 'candidate') && (core.role === 'pre-candidate')",
    why: 'a candidate knows no leader, and is refused for that; only a log line differs',
  },
  {
    place: 'quorum.ts majorityIndex: sorted.push(index); is dropped',
    why: 'the place at the end is written in any case',
  },
  {
    place: 'ready.ts ReadyMaker.#accept: core.readStates.length > 0 becomes true',
    why: 'an empty list would replace an empty list',
  },
  {
    place: 'ready.ts ReadyMaker.ready: committedEntries.length > 0 becomes committedEntries.length >= 0 (2)',
    why: 'the notice that nothing was applied changes nothing',
  },
  {
    place:
      'unstable.ts UnstableLog.#shrink: this.#head >= HEAD_MIN && this.#head * 2 >= this.#entries.length becomes true',
    why: 'what is cut off is never looked at; when it is cut off is a matter of speed',
  },
];
