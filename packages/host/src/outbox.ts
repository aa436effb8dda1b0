import { type GroupName, type Message, MessageKind, type StoreId, Writer } from '@flotilla/base';
import { Lane, neverRare, type PeerLinks, type RareBranches } from '@flotilla/ports';
import {
  type Beat,
  type BeatAck,
  FrameKind,
  limits,
  raftMessageBytes,
  writeBeatAcks,
  writeBeats,
  writeRaftMessage,
} from '@flotilla/wire';
import type { Rounds } from './lease.ts';

/** What one turn has to say to one store. */
interface PeerOut {
  readonly normal: Writer;
  readonly urgent: Writer;
  beats: Beat[];
  acks: BeatAck[];
}

/** Room that one more message may need, so that no frame passes its limit. */
const FRAME_BYTES_SOFT: number = limits.peerFrameBytes - 1024;

/** As many as a frame may name; more of one turn (a tick and a read in each group) take several frames. */
function pages<T>(items: readonly T[], itemsMax: number): (readonly T[])[] {
  if (items.length <= itemsMax) return [items];
  const found: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += itemsMax) found.push(items.slice(at, at + itemsMax));
  return found;
}

/**
 * Gathers the consensus traffic of a turn, so that each store gets one frame of each kind. A frame that the
 * links cannot take is lost, as on any network: Raft repeats what matters.
 */
export class Outbox {
  readonly #links: PeerLinks;
  readonly #rounds: Rounds;
  readonly #now: () => number;
  readonly #rare: RareBranches;
  readonly #peers = new Map<StoreId, PeerOut>();

  constructor(links: PeerLinks, rounds: Rounds, now: () => number, rare: RareBranches = neverRare) {
    this.#links = links;
    this.#rounds = rounds;
    this.#now = now;
    this.#rare = rare;
  }

  add(to: StoreId, group: GroupName, message: Message): void {
    const peer = this.#peer(to);
    const isUrgent = message.kind !== MessageKind.app && message.kind !== MessageKind.appResp;
    const out = isUrgent ? peer.urgent : peer.normal;
    const isFull = out.length > 0 && out.length + raftMessageBytes(message) > FRAME_BYTES_SOFT;
    if (isFull || (out.length > 0 && this.#rare.take('raft-frame-of-one'))) this.#send(to, out, isUrgent);
    writeRaftMessage(out, group, message);
  }

  addBeat(to: StoreId, beat: Beat): void {
    this.#peer(to).beats.push(beat);
  }

  addAck(to: StoreId, ack: BeatAck): void {
    this.#peer(to).acks.push(ack);
  }

  /** Hands everything to the links. One clock reading before any frame is built stamps the round of all. */
  flush(): void {
    let round = 0;
    const groupsMax = this.#peers.size > 0 && this.#rare.take('beat-frame-of-one') ? 1 : limits.groupsMax;
    for (const [to, peer] of this.#peers) {
      if (peer.beats.length > 0) {
        if (round === 0) round = this.#rounds.open(this.#now());
        for (const beats of pages(peer.beats, groupsMax)) {
          const out = new Writer(32 + beats.length * 56);
          writeBeats(out, round, beats);
          this.#links.send(to, Lane.consensus, FrameKind.beat, out.take(), 'urgent');
        }
        peer.beats = [];
      }
      if (peer.acks.length > 0) {
        for (const acks of pages(peer.acks, groupsMax)) {
          const out = new Writer(16 + acks.length * 56);
          writeBeatAcks(out, acks);
          this.#links.send(to, Lane.consensus, FrameKind.beatAck, out.take(), 'urgent');
        }
        peer.acks = [];
      }
      if (peer.urgent.length > 0) this.#send(to, peer.urgent, true);
      if (peer.normal.length > 0) this.#send(to, peer.normal, false);
    }
  }

  drop(to: StoreId): void {
    this.#peers.delete(to);
  }

  #send(to: StoreId, out: Writer, isUrgent: boolean): void {
    const body = out.bytes.subarray(0, out.length);
    this.#links.send(to, Lane.consensus, FrameKind.raft, body, isUrgent ? 'urgent' : 'normal');
    out.reset();
  }

  #peer(to: StoreId): PeerOut {
    let peer = this.#peers.get(to);
    if (peer === undefined) {
      peer = { normal: new Writer(4096), urgent: new Writer(512), beats: [], acks: [] };
      this.#peers.set(to, peer);
    }
    return peer;
  }
}
