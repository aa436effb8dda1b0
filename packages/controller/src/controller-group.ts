import { assert, DecodeError, InvariantError, Reader, utf8Encode, Writer, Xxh64 } from '@flotilla/base';
import type { ColdCodec, StateStore } from '@flotilla/ports';
import { type ClusterConfig, type ConfigSummary, defaultPolicy, type StoreRecord } from '@flotilla/wire';
import { type ControllerAnswer, encodeControllerAnswer, refusal, success } from './answer.ts';
import { AnswerTable } from './answer-table.ts';
import { type ControllerCommand, type ControllerRequest, commandToCold } from './command.ts';
import { decodeControllerRequest, parseControllerCommand } from './command-reader.ts';
import { decide } from './decide.ts';
import { type Changed, type ControllerView, changedConfig, type Decision } from './decision.ts';
import {
  CONTROLLER_ENTRY_FORMAT,
  type ControllerEntryHead,
  Row,
  readControllerEntryHead,
  rowKey,
} from './format.ts';
import { controllerGroup } from './founding.ts';
import { ConfigHistory } from './history.ts';
import { movesBetween } from './intents.ts';
import type { PlannedMove } from './planner.ts';

export interface ControllerGroupOptions {
  readonly store: StateStore;
  /** Begins every key of this replica's state. */
  readonly prefix: Uint8Array;
  readonly codec: ColdCodec;
}

/** What a command would do. */
export interface Preview {
  /** As if it were carried out, but for the number: that of the newest config as it is. */
  readonly answer: ControllerAnswer;
  readonly moves: readonly PlannedMove[];
}

/** What there is before the first entry. */
export const EMPTY_CONFIG: ClusterConfig = {
  number: 0,
  cause: '',
  author: '',
  atMs: 0,
  shards: [],
  groups: [],
  controller: controllerGroup([]),
  stores: [],
  policy: defaultPolicy,
};

const META_FORMAT = 2;

/**
 * State machine of the controller group. `apply` is total: it reads the entry and the state, nothing else, so
 * all replicas agree on every answer. Every row is written as its entry is applied; what stands in memory is
 * read back by `load`.
 */
export class ControllerGroup {
  readonly #store: StateStore;
  readonly #prefix: Uint8Array;
  readonly #codec: ColdCodec;
  readonly #answers: AnswerTable;
  readonly #history: ConfigHistory;
  readonly #hasher = new Xxh64();
  readonly #view: ControllerView;
  #config = EMPTY_CONFIG;
  #clusterId = '';
  #lastStamp = 0;
  #lastIndex = 0;

  constructor(options: ControllerGroupOptions) {
    this.#store = options.store;
    this.#prefix = options.prefix;
    this.#codec = options.codec;
    this.#answers = new AnswerTable(options.store, options.prefix);
    this.#history = new ConfigHistory(options.store, options.prefix);
    const group = this;
    this.#view = {
      get clusterId() {
        return group.#clusterId;
      },
      get config() {
        return group.#config;
      },
      formerVersion: (storeId, incarnation) => group.#formerVersion(storeId, incarnation),
    };
  }

  /** Newest config; number 0 before the cluster is founded. */
  get config(): ClusterConfig {
    return this.#config;
  }

  /** Empty before the cluster is founded. */
  get clusterId(): string {
    return this.#clusterId;
  }

  /** Highest log time applied, in ms. */
  get lastStamp(): number {
    return this.#lastStamp;
  }

  /** Any config that there ever was. */
  configAt(number: number): ClusterConfig | undefined {
    return number === this.#config.number && number > 0 ? this.#config : this.#history.get(number);
  }

  /** The head of any config, without reading the shards of most of them. */
  summaryAt(number: number): ConfigSummary | undefined {
    return this.#history.summary(number);
  }

  /** What a command would come to now, and which moves it would cause. Changes nothing. */
  preview(command: ControllerCommand): Preview {
    let parsed: ControllerCommand;
    try {
      parsed = parseControllerCommand(commandToCold(command));
    } catch (error) {
      return { answer: unreadable(error), moves: [] };
    }
    const decision = decide(this.#view, parsed);
    if (decision.kind !== 'changed') return { answer: this.#answerOf(decision), moves: [] };
    const after = changedConfig(this.#config, decision, { author: '', atMs: this.#lastStamp });
    return { answer: this.#answerOf(decision), moves: movesBetween(this.#config, after) };
  }

  /** Reads the state from the store: at start, and after a snapshot came in under the prefix. */
  load(): void {
    this.#config = EMPTY_CONFIG;
    this.#clusterId = '';
    this.#lastStamp = 0;
    this.#lastIndex = 0;
    this.#answers.load();
    const bytes = this.#store.get(this.#metaKey());
    if (bytes === undefined) return;
    const from = new Reader(bytes);
    const format = from.u8();
    if (format !== META_FORMAT) {
      throw new DecodeError(`controller state of format ${format} belongs to another version of Flotilla`, {
        format,
      });
    }
    this.#lastStamp = from.u53();
    this.#lastIndex = from.u53();
    this.#clusterId = from.text(1024);
    from.expectEnd();
    this.#config = this.#history.load() ?? EMPTY_CONFIG;
  }

  /**
   * Applies one committed entry and writes the answer, cold-encoded, if anybody waits for it. Throws
   * `DecodeError` for an unknown entry format only: this replica must stop, since others may understand it.
   */
  apply(index: number, entry: Uint8Array, out: Writer | undefined): void {
    assert(index > this.#lastIndex, () => `entry ${index} after entry ${this.#lastIndex}`);
    this.#lastIndex = index;
    const answer = this.#answer(entry);
    this.#writeMeta();
    out?.raw(encodeControllerAnswer(this.#codec, answer));
  }

  /** Nothing is held back: commands are rare, so each entry writes its rows at once. */
  flush(): void {}

  /** Nothing is ever dropped by range. */
  durable(): void {}

  #answer(entry: Uint8Array): ControllerAnswer {
    const request = this.#read(entry);
    if (!('command' in request)) return request;
    const { requestId, command } = request;
    if (requestId === '') return this.#carryOut(request);
    this.#hasher.hash(utf8Encode(JSON.stringify(command, asked)));
    const { high, low } = this.#hasher;
    const earlier = this.#answers.get(requestId);
    if (earlier === undefined) {
      const answer = this.#carryOut(request);
      // Whoever is told to ask again asks with the same id, and must not be given the old answer for ever.
      const isFinal = answer.ok || answer.retry === 'never';
      if (isFinal) this.#answers.add(requestId, { fingerprintHigh: high, fingerprintLow: low, answer });
      return answer;
    }
    if (earlier.fingerprintHigh === high && earlier.fingerprintLow === low) return earlier.answer;
    return refusal(
      'request-id-reused',
      `request id ${requestId} belongs to another command: use a new id for each new request`,
    );
  }

  /** The request in an entry, or the refusal of an entry that holds none. Takes over the log time. */
  #read(entry: Uint8Array): ControllerRequest | ControllerAnswer {
    let head: ControllerEntryHead | undefined;
    try {
      head = readControllerEntryHead(entry);
    } catch (error) {
      return unreadable(error);
    }
    if (head.format !== CONTROLLER_ENTRY_FORMAT) {
      throw new DecodeError(`a controller entry of format ${head.format} needs a newer version of Flotilla`, {
        format: head.format,
      });
    }
    if (head.stamp > this.#lastStamp) this.#lastStamp = head.stamp;
    try {
      return decodeControllerRequest(this.#codec, head.body);
    } catch (error) {
      return unreadable(error);
    }
  }

  #carryOut(request: ControllerRequest): ControllerAnswer {
    const decision = decide(this.#view, request.command);
    if (decision.kind === 'changed') this.#change(decision, request.author);
    return this.#answerOf(decision);
  }

  /** Names the newest config, which holds the change once there is one. */
  #answerOf(decision: Decision): ControllerAnswer {
    if (decision.kind === 'refused') return refusal(decision.code, decision.message, decision.retry);
    return success(this.#config.number, decision.kind === 'changed', decision.message);
  }

  #change(change: Changed, author: string): void {
    const former = this.#config;
    this.#config = changedConfig(former, change, { author, atMs: this.#lastStamp });
    this.#history.put(former, this.#config);
    if (change.clusterId !== undefined) this.#clusterId = change.clusterId;
    if (change.former !== undefined) this.#rememberFormer(change.former);
  }

  #metaKey(): Uint8Array {
    return rowKey(this.#prefix, Row.meta, new Uint8Array(0));
  }

  #writeMeta(): void {
    const out = new Writer(96);
    out.u8(META_FORMAT);
    out.u53(this.#lastStamp);
    out.u53(this.#lastIndex);
    out.text(this.#clusterId);
    this.#store.put(this.#metaKey(), out.finish());
  }

  #formerKey(storeId: string, incarnation: string): Uint8Array {
    return rowKey(this.#prefix, Row.formerIncarnation, utf8Encode(`${storeId}\0${incarnation}`));
  }

  #formerVersion(storeId: string, incarnation: string): number | undefined {
    const bytes = this.#store.get(this.#formerKey(storeId, incarnation));
    return bytes === undefined ? undefined : new Reader(bytes).u53();
  }

  #rememberFormer(store: StoreRecord): void {
    const out = new Writer(8);
    out.u53(store.addressVersion);
    this.#store.put(this.#formerKey(store.storeId, store.incarnation), out.finish());
  }
}

/** Loads are what was measured as the request came by, not what was asked: its repeat brings others. */
function asked(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? undefined : value;
}

/** Whatever a codec throws for a body, the body is refused; only our own broken promises stop the replica. */
function unreadable(error: unknown): ControllerAnswer {
  if (error instanceof InvariantError) throw error;
  const why = error instanceof Error ? error.message : String(error);
  return refusal('bad-request', `this entry is not a command of the controller: ${why}`);
}
