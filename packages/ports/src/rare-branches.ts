/**
 * Places where more than one branch is right, and where one of them is taken so seldom that hardly any test would
 * ever see it. Production always takes the usual one; the simulator asks a dice of its own.
 *
 * A point may change when something happens, how much of it happens at once, or that it has to be tried again;
 * never what a promise means. So no state machine and no consensus core has one: those are functions of their input.
 */
export const rarePoints = {
  // Host: writing and applying
  'log-commit-of-one': 'a log commit takes the work of one core and leaves the rest to the next',
  'log-commit-later': 'a log commit waits for more work although little was committed before',
  'log-page-of-one': 'a core that asks for entries gets one at a time',
  'log-compacted-early': 'a log is dropped up to the durable state although it is small',
  'commit-index-written': 'a new commit index alone is worth a write of its own',
  'apply-later': 'what was committed is not applied in this pass',
  'apply-one-group': 'a pass applies something of one group only',
  'propose-one': 'one proposal of those that wait goes into the log',
  'proposal-refused': 'a leader has no room for a proposal',
  // Host: its loop
  'turn-of-one-pass': 'a turn goes round once only',
  'turn-once-more': 'a turn follows for which there is no reason',
  'inbox-full': 'a frame finds the inbox full',
  'inbox-of-one': 'a turn opens one frame and leaves the others to the next',
  'tick-missed': 'a core misses a tick',
  'tick-twice': 'a core gets two ticks for one',
  // Host: leaders
  'failover-without-rank': 'a voter does not wait for those before it',
  'failover-later': 'a voter lets a promise pass before it asks for votes',
  'refusal-unheard': 'what a voter said of its promise is not used',
  'campaign-after-promise': 'a follower plans to ask for votes as soon as its promise ends',
  'vote-request-unheard': 'a candidate gets no answer',
  'timeout-now-unheard': 'whoever is to take over a leadership does not hear of it',
  'hold-back-longer': 'a store that starts supports nobody for twice the time',
  'promise-not-echoed': 'a follower answers a heartbeat without confirming its promise',
  'commit-not-told': 'a heartbeat does not say what its leader has committed',
  'notice-held-back': 'an append without entries is left to the next heartbeat',
  'notice-unasked': 'an append without entries goes out right after the one before',
  'raft-frame-of-one': 'a message between cores travels in a frame of its own',
  'beat-frame-of-one': 'a heartbeat of one group travels in a frame of its own',
  // Host: reads
  'lease-distrusted': 'a leader confirms a read by a round although its lease holds',
  'read-slice-of-one': 'a turn answers one batch of reads and leaves the rest to the next',
  'reads-next-turn': 'a turn answers no reads',
  'read-asked-again': 'a round of reads is asked for once more before its answer is late',
  // Host: snapshots
  'snapshot-no-view': 'too many views of the state are open to stream a snapshot',
  'snapshot-window-of-one': 'one chunk of a snapshot is on its way at a time',
  'snapshot-chunk-of-one': 'a chunk of a snapshot holds one item',
  'snapshot-given-up': 'a stream of a snapshot ends before its end',
  'snapshot-offer-refused': 'a store has no room for a snapshot',
  'snapshot-chunk-refused': 'a receiver is not content with a chunk',
  // Store: configs and its service
  'config-push-skipped': 'a store is not told of a new config',
  'config-push-whole': 'a new config travels whole, not as its difference',
  'config-asked-again': 'a store asks for the newest config before it is time',
  'client-config-skipped': 'a client is not told of a new config',
  'client-config-whole': 'a client is told a config as a whole',
  'client-turned-away': 'a store takes no further client',
  'client-cut': 'a client does not read fast enough',
  'session-withheld': 'a store issues no session',
  'reply-at-once': 'a reply leaves before the turn ends',
  'read-page-cut': 'a reply has no room for the last reads of its batch',
  'question-unsent': 'a question to another store cannot be sent',
  'answer-lost': 'an answer to another store gets lost',
  'upkeep-early': 'what expired is looked for before it is time',
  'stamp-of-before': 'an entry gets the time of the one before',
  // Store: moves
  'copy-line-of-one': 'one piece of a copy is on its way at a time',
  'copy-from-last': 'a copy is read where it would be read last',
  'desk-busy': 'a source has too many copies to read for',
  'step-refused': 'a group has too many steps of moves open',
  'move-run-begun-anew': 'a driver forgets all that it knows of a move',
  'catch-up-first': 'a copy takes changes before its next page although few are open',
  'trim-at-once': 'a source may forget each change as soon as it was taken',
  'last-changes-asked-for': 'the changes that come with the freeze are not used',
  'proof-wanted': 'a driver proves that its group commits although it knows',
  // Client
  'leader-forgotten': 'a client asks anybody although it knows who leads',
  'other-replica': 'a client reads at another replica than before',
  'batch-of-one': 'a batch holds one operation',
  'window-of-one': 'a client waits for the answer to one batch before the next',
  'reply-lost': 'the answer to a batch gets lost',
  'config-missed': 'a client misses a config',
  'session-renewed-early': 'a client fetches another session before it needs one',
  'link-given-up': 'a client gives up a connection that works',
  'dial-without-pause': 'a client dials again at once',
  // Transport
  'frame-waits': 'a frame waits in the queue of its link',
  'frame-dropped': 'a frame finds the queue of its link full',
  'frame-packed': 'a frame is packed although it is small',
  'peer-dialled-at-once': 'a store dials another one again without a pause',
  'link-closed': 'a link between stores that works is closed',
  'link-probed': 'a link between stores has to give a sign of life soon',
  'book-told-whole': 'a ping tells the whole address book again',
  'seeds-asked': 'a store asks its seeds although it knows everybody',
  // Storage
  'sync-of-one': 'a sync makes one commit durable and leaves the others to the next',
  'release-of-one': 'what was given up is deleted key by key',
} as const;

export type RarePoint = keyof typeof rarePoints;

export interface RareBranches {
  /** True if the rare branch is to be taken, this time. */
  take(point: RarePoint): boolean;
}

/** Never: for production, and wherever nobody says otherwise. */
export const neverRare: RareBranches = Object.freeze({ take: () => false });
