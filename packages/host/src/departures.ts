import { type Message, MessageKind } from '@flotilla/base';
import type { Outbox } from './outbox.ts';
import type { Replica } from './replica.ts';
import type { SnapshotSender } from './snapshot-sender.ts';

/** Messages of the cores on their way to other stores: heartbeats and their answers by frame, snapshots as streams. */
export class Departures {
  readonly #outbox: Outbox;
  readonly #sender: SnapshotSender;
  readonly #now: () => number;

  constructor(outbox: Outbox, sender: SnapshotSender, now: () => number) {
    this.#outbox = outbox;
    this.#sender = sender;
    this.#now = now;
  }

  send(replica: Replica, message: Message): void {
    const store = replica.storeOf(message.to);
    if (store === undefined) return;
    switch (message.kind) {
      case MessageKind.heartbeat:
        this.#outbox.addBeat(store, {
          group: replica.group,
          from: message.from,
          to: message.to,
          term: message.term,
          commit: message.commit,
          leaderCommit: replica.provenCommit(this.#now()),
          context: message.context,
        });
        return;
      case MessageKind.heartbeatResp: {
        const { echo } = replica;
        const isSame = echo.to === message.to && echo.term === message.term;
        this.#outbox.addAck(store, {
          group: replica.group,
          from: message.from,
          to: message.to,
          term: message.term,
          round: isSame ? echo.round : 0,
          context: message.context,
        });
        return;
      }
      case MessageKind.snap:
        this.#sender.start(replica, message, store);
        return;
      case MessageKind.timeoutNow:
        replica.lease.forfeit();
        break;
      default:
    }
    this.#outbox.add(store, replica.group, message);
  }
}
