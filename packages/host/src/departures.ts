import { type Message, MessageKind, type RaftId } from '@flotilla/base';
import { neverRare, type RareBranches } from '@flotilla/ports';
import type { Outbox } from './outbox.ts';
import type { Replica } from './replica.ts';
import type { SnapshotSender } from './snapshot-sender.ts';

const NO_ECHO = { to: 0, term: 0, round: 0 };

/** Messages of the cores on their way to other stores: heartbeats and their answers by frame, snapshots as streams. */
export class Departures {
  readonly #outbox: Outbox;
  readonly #sender: SnapshotSender;
  readonly #noticeMs: number;
  readonly #now: () => number;
  readonly #rare: RareBranches;

  constructor(
    outbox: Outbox,
    sender: SnapshotSender,
    noticeMs: number,
    now: () => number,
    rare: RareBranches = neverRare,
  ) {
    this.#outbox = outbox;
    this.#sender = sender;
    this.#noticeMs = noticeMs;
    this.#now = now;
    this.#rare = rare;
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
          leaderCommit: this.#rare.take('commit-not-told') ? 0 : replica.provenCommit(this.#now()),
          context: message.context,
        });
        return;
      case MessageKind.heartbeatResp: {
        const echo = this.#rare.take('promise-not-echoed') ? NO_ECHO : replica.echo;
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
      case MessageKind.app:
        if (message.entries.length === 0 && !this.#mayNotify(replica, message.to)) return;
        break;
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

  /**
   * Appends without entries mostly say that the commit index rose. Under load the next entries say so as well,
   * and heartbeats do in any case, so a few of them are enough; each one costs two frames and an answer. Those
   * that probe a follower are the same to look at: they pass at the same pace, and are repeated until answered.
   */
  #mayNotify(replica: Replica, to: RaftId): boolean {
    const now = this.#now();
    const last = replica.notifiedAt.get(to);
    const isSoon = last !== undefined && now - last < this.#noticeMs;
    if (isSoon && !this.#rare.take('notice-unasked')) return false;
    if (!isSoon && this.#rare.take('notice-held-back')) return false;
    replica.notifiedAt.set(to, now);
    return true;
  }
}
