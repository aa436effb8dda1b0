import type { GroupName, Writer } from '@flotilla/base';

/**
 * A state machine as the host drives it. Everything that it is lies in the state store under its prefix;
 * what it keeps in memory besides can be thrown away and loaded again at any point.
 */
export interface GroupMachine {
  load(): void;
  /** Total and deterministic. Results go to `out` where somebody waits for them. */
  apply(index: number, data: Uint8Array, out: Writer | undefined): void;
  /** Writes back what memory holds; called before the store's transaction ends. */
  flush(): void;
  /**
   * Everything up to this index survives a crash, and so does what came of it: ranges that it dropped may be
   * released now. Comes after `load`, too.
   */
  durable(index: number): void;
}

export type MachineFactory = (group: GroupName, prefix: Uint8Array) => GroupMachine;

/** Why a proposal or a read was not taken. Nothing of it happened. */
export type Refusal =
  | { readonly kind: 'not-leader' }
  | { readonly kind: 'overloaded'; readonly retryAfterMs: number; readonly what: string };

/** One entry that waits for its fate. Exactly one of the last three is called, once. */
export interface Proposal {
  readonly data: Uint8Array;
  /** True for what goes on while the disk is nearly full: deletes, upkeep, configs. Asked only then. */
  spares(): boolean;
  /** Called as late as possible, on the leader that will replicate the entry: the moment to stamp it. */
  prepare(): void;
  /** Where the results of the entry go; called right before it is applied. */
  out(): Writer | undefined;
  applied(index: number): void;
  refused(refusal: Refusal): void;
  /** Leadership ended first: the entry may or may not take effect. */
  lost(): void;
}

/** Reads that are evaluated together on one replica. */
export interface ReadBatch {
  /** Evaluates on the applied state; may be called again if the lease was lost meanwhile. */
  evaluate(): void;
  /** What the last evaluation found may be told. */
  deliver(): void;
  refused(refusal: Refusal): void;
  /** True when nobody waits any more. */
  expired(nowMs: number): boolean;
}
