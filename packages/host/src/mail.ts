import { DecodeError, type StoreId } from '@flotilla/base';
import { type Lane, type LogSink, neverRare, type RareBranches } from '@flotilla/ports';
import { FrameKind } from '@flotilla/wire';
import type { Arrivals } from './arrivals.ts';
import { Inbox, type InboxFrame } from './inbox.ts';
import type { SnapshotReceiver } from './snapshot-receiver.ts';
import type { SnapshotSender } from './snapshot-sender.ts';

/** Frames of other stores: kept until the turn, then handed to whom their kind says. */
export class Mail {
  readonly #inbox: Inbox;
  readonly #log: LogSink;
  readonly #arrivals: Arrivals;
  readonly #receiver: SnapshotReceiver;
  readonly #sender: SnapshotSender;
  readonly #rare: RareBranches;
  readonly #onFrame: ((storeId: StoreId, lane: Lane, kind: number, body: Uint8Array) => void) | undefined;

  constructor(options: {
    readonly bytesMax: number;
    readonly log: LogSink;
    readonly arrivals: Arrivals;
    readonly receiver: SnapshotReceiver;
    readonly sender: SnapshotSender;
    /** Takes the kinds that are not the host's. */
    readonly onFrame: ((storeId: StoreId, lane: Lane, kind: number, body: Uint8Array) => void) | undefined;
    readonly rare?: RareBranches | undefined;
  }) {
    this.#inbox = new Inbox(options.bytesMax);
    this.#log = options.log;
    this.#arrivals = options.arrivals;
    this.#receiver = options.receiver;
    this.#sender = options.sender;
    this.#onFrame = options.onFrame;
    this.#rare = options.rare ?? neverRare;
  }

  /** False if there is no room: the frame is lost, as on any network. */
  take(frame: InboxFrame): boolean {
    return !this.#rare.take('inbox-full') && this.#inbox.push(frame);
  }

  /** Frames that the last turn left. */
  get hasMore(): boolean {
    return this.#inbox.length > 0;
  }

  /** One frame that cannot be read harms nothing but itself. */
  open(): void {
    for (let frame = this.#inbox.shift(); frame !== undefined; frame = this.#inbox.shift()) {
      try {
        this.#handle(frame);
      } catch (cause) {
        if (!(cause instanceof DecodeError)) throw cause;
        const { storeId: from, kind } = frame;
        this.#log.log('warn', 'frame-refused', { from, kind, why: cause.message });
      }
      if (this.#rare.take('inbox-of-one')) return;
    }
  }

  #handle({ storeId, lane, kind, body }: InboxFrame): void {
    switch (kind) {
      case FrameKind.raft:
        this.#arrivals.onRaft(storeId, body);
        return;
      case FrameKind.beat:
        this.#arrivals.onBeats(storeId, body);
        return;
      case FrameKind.beatAck:
        this.#arrivals.onBeatAcks(storeId, body);
        return;
      case FrameKind.voteRefusal:
        this.#arrivals.onVoteRefusal(storeId, body);
        return;
      case FrameKind.snapshotOffer:
        this.#receiver.onOffer(storeId, body);
        return;
      case FrameKind.snapshotChunk:
        this.#receiver.onChunk(storeId, body);
        return;
      case FrameKind.snapshotAck:
        this.#sender.onAck(storeId, body);
        return;
      default:
        this.#onFrame?.(storeId, lane, kind, body);
    }
  }
}
