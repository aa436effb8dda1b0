import {
  type ConfState,
  type Entry,
  EntryKind,
  type Message,
  MessageKind,
  type RaftId,
} from '@flotilla/base';
import { decodeConfChange, describeConfState } from '@flotilla/raft';
import type { Event, Story } from '../search.ts';
import { IDENTITY, type Renaming, renamed } from './codec.ts';
import type { Facts } from './facts.ts';
import { InputKind } from './input.ts';
import { NODES, type RaftModel, RENAMINGS } from './raft-model.ts';

const KINDS = new Map<MessageKind, string>(
  Object.entries(MessageKind).map(([name, kind]) => [kind, name.replace('Resp', ' answer')]),
);

/**
 * Tells a way in the names that nodes had at its beginning. States are stored under the names that make them least,
 * so every event may give the nodes other ones.
 */
export class RaftStory implements Story {
  readonly #model: RaftModel;
  /** First name of each node of now. */
  #names: Renaming = IDENTITY;

  constructor(model: RaftModel) {
    this.#model = model;
  }

  event(row: Uint32Array, { kind, left, right }: Event): string {
    const words = this.#words(row, kind, left);
    const given = RENAMINGS[right] as Renaming;
    const names = this.#names;
    this.#names = IDENTITY.map((id) => renamed(names, given.indexOf(id) + 1));
    return words;
  }

  state(row: Uint32Array): readonly string[] {
    const lines = [...row.subarray(0, NODES)].map((cell) =>
      this.#factsWords(this.#model.machine.facts(cell)),
    );
    return lines.sort();
  }

  #name(id: RaftId): RaftId {
    return renamed(this.#names, id);
  }

  #words(row: Uint32Array, input: number, at: number): string {
    const { machine } = this.#model;
    const who = `node ${this.#name(at + 1)}`;
    switch (input) {
      case InputKind.campaign:
        return `${who} campaigns in term ${machine.facts(row[at] as number).term + 1}`;
      case InputKind.propose:
        return `${who} takes a proposal`;
      case InputKind.write:
        return `${who}: its oldest write is durable`;
      case InputKind.apply:
        return `${who} applies what it was handed`;
      case InputKind.beat:
        return `${who} sends heartbeats`;
      case InputKind.crashKeeping:
        return `${who} loses power, and comes back with what it applied`;
      case InputKind.crashLosing:
        return `${who} loses power, and comes back with its log and an empty state`;
      case InputKind.forget:
        return `${who} forgets its leader`;
      case InputKind.electionTime:
        return `${who}: an election timeout passes`;
    }
    if (input >= InputKind.message) {
      return `${who} receives ${this.#messageWords(machine.sets.message(input - InputKind.message))}`;
    }
    const changes = machine.change(input).changes.map(({ kind, id }) => `${kind} ${this.#name(id)}`);
    return `${who} takes the change ${changes.join(', ')}`;
  }

  #messageWords(message: Message): string {
    const { kind, from, term, index, logTerm, commit, reject, rejectHint, entries } = message;
    const parts = [`${KINDS.get(kind)} of term ${term} from ${this.#name(from)}`];
    switch (kind) {
      case MessageKind.vote:
      case MessageKind.preVote:
        parts.push(`log ends at ${index} of term ${logTerm}`);
        break;
      case MessageKind.voteResp:
      case MessageKind.preVoteResp:
        parts.push(reject ? 'no' : 'yes');
        break;
      case MessageKind.app:
        parts.push(`after ${index} of term ${logTerm}: [${this.#entriesWords(entries)}], commit ${commit}`);
        break;
      case MessageKind.appResp:
        parts.push(reject ? `no to ${index}, rather ${rejectHint} of term ${logTerm}` : `up to ${index}`);
        break;
      case MessageKind.heartbeat:
        parts.push(`commit ${commit}`);
        break;
      default:
        break;
    }
    return parts.join(', ');
  }

  #entriesWords(entries: readonly Entry[]): string {
    return entries
      .map(({ index, term, kind, data }) => {
        const what =
          kind === EntryKind.normal ? (data.length === 0 ? '' : ' data') : ` ${this.#changeWords(data)}`;
        return `${index} of term ${term}${what}`;
      })
      .join('; ');
  }

  #changeWords(data: Uint8Array): string {
    const { changes } = decodeConfChange(data);
    if (changes.length === 0) return 'leave joint';
    return changes.map(({ kind, id }) => `${kind} ${this.#name(id)}`).join(', ');
  }

  #confWords(conf: ConfState): string {
    const ids = (list: readonly RaftId[]): RaftId[] =>
      list.map((id) => this.#name(id)).sort((left, right) => left - right);
    return describeConfState({
      voters: ids(conf.voters),
      votersOutgoing: ids(conf.votersOutgoing),
      learners: ids(conf.learners),
      learnersNext: ids(conf.learnersNext),
      autoLeave: conf.autoLeave,
    });
  }

  #factsWords(facts: Facts): string {
    const { id, role, term, vote, diskTerm, diskVote, committed, log, disk, conf, writes, applies } = facts;
    const parts = [
      `node ${this.#name(id)}: ${role} in term ${term}, vote ${this.#name(vote)}`,
      `log [${this.#entriesWords(log)}], commit ${committed}`,
      `disk: term ${diskTerm}, vote ${this.#name(diskVote)}, log [${this.#entriesWords(disk)}]`,
      this.#confWords(conf),
    ];
    if (writes > 0) parts.push(`writes to do: ${writes}`);
    if (applies > 0) parts.push(`orders to apply: ${applies}`);
    return parts.join('; ');
  }
}
