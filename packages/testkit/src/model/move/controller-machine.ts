import { must, Writer } from '@flotilla/base';
import {
  type ControllerCommand,
  ControllerGroup,
  decodeControllerAnswer,
  encodeControllerEntry,
} from '@flotilla/controller';
import { PlainColdCodec } from '@flotilla/transport';
import { type ClusterConfig, type StoreRecord, writeConfig } from '@flotilla/wire';
import { Interner } from '../interner.ts';
import { PairTable } from '../pair-table.ts';
import { CellStore } from './cell-store.ts';

const PREFIX = new Uint8Array([0x63]);
const codec = new PlainColdCodec();

function storeRecord(at: number): StoreRecord {
  return { storeId: `s${at}`, incarnation: 'i', address: `h${at}:1`, addressVersion: 1, zone: '' };
}

/** Stores of the groups of a model: one each, since a group of a model is one log without replicas. */
export function storeOf(gid: number): string {
  return `s${gid}`;
}

interface Kept {
  readonly config: ClusterConfig;
  readonly state: Uint8Array;
  readonly index: number;
}

/**
 * The real controller group as a table: its states are told apart by the newest config alone, without what says
 * who made it and why. History and remembered answers decide nothing.
 */
export class ControllerMachine {
  readonly #configs = new Interner();
  readonly #kept: Kept[] = [];
  readonly #store = new CellStore(false);
  readonly #group: ControllerGroup;
  readonly #commands: ControllerCommand[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #applied = new PairTable();
  readonly #messages: string[] = [];

  constructor() {
    this.#group = new ControllerGroup({ store: this.#store, prefix: PREFIX, codec });
  }

  /** State of a founded cluster of one shard without groups. */
  founded(stores: number): number {
    this.#store.thaw(new CellStore(false).freeze());
    this.#group.load();
    const records = Array.from({ length: stores }, (_, at) => storeRecord(at + 1));
    const [first] = records;
    const storeId = must(first, 'a cluster has a store').storeId;
    const out = new Writer(64);
    const found = {
      kind: 'found',
      clusterId: 'model',
      shardCount: 1,
      replicas: [{ raftId: 1, storeId, storeIncarnation: 'i' }],
      stores: records,
    } as const;
    this.#group.apply(1, encodeControllerEntry(codec, found, '', 'model'), out);
    return this.#take(1);
  }

  config(state: number): ClusterConfig {
    return (this.#kept[state] as Kept).config;
  }

  #take(index: number): number {
    const { config } = this.#group;
    const out = new Writer(256);
    writeConfig(out, { ...config, cause: '', author: '', atMs: 0 });
    const size = this.#configs.size;
    const state = this.#configs.number(out.finish());
    if (state === size) this.#kept.push({ config, state: this.#store.freeze(), index });
    return state;
  }

  command(command: ControllerCommand): number {
    const key = JSON.stringify(command);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#commands.push(command);
    this.#numbers.set(key, this.#commands.length - 1);
    return this.#commands.length - 1;
  }

  words(command: number): string {
    const { kind, ...rest } = this.#commands[command] as ControllerCommand;
    return `${kind} ${JSON.stringify(rest)}`;
  }

  apply(state: number, command: number): number {
    const known = this.#applied.get(state, command);
    if (known !== undefined) return known;
    const { state: bytes, index } = this.#kept[state] as Kept;
    this.#store.thaw(bytes);
    this.#group.load();
    const out = new Writer(256);
    const request = this.#commands[command] as ControllerCommand;
    this.#group.apply(index + 1, encodeControllerEntry(codec, request, '', 'model'), out);
    const answer = decodeControllerAnswer(codec, out.finish());
    const next = answer.ok && answer.changed ? this.#take(index + 1) : state;
    this.#applied.set(state, command, next, this.#messages.length);
    this.#messages.push(answer.message);
    return next;
  }

  /** What the controller says to a command in a state, for people. */
  answer(state: number, command: number): string {
    this.apply(state, command);
    this.#applied.get(state, command);
    return this.#messages[this.#applied.second] as string;
  }
}
