import { Writer } from '@flotilla/base';
import {
  type ControllerAnswer,
  type ControllerCommand,
  decodeControllerAnswer,
  encodeControllerEntry,
  stampControllerEntry,
} from '@flotilla/controller';
import type { Proposal, Refusal } from '@flotilla/host';
import type { ColdCodec } from '@flotilla/ports';

export interface ControllerRequestParts {
  readonly codec: ColdCodec;
  readonly command: ControllerCommand;
  readonly requestId: string;
  readonly author: string;
  readonly stamp: () => number;
  readonly done: (answer: ControllerAnswer | { readonly refused: Refusal | 'lost' }) => void;
}

/** One command on its way through the log of the controller group. */
export class ControllerProposal implements Proposal {
  readonly data: Uint8Array;
  readonly #parts: ControllerRequestParts;
  readonly #out = new Writer(512);

  constructor(parts: ControllerRequestParts) {
    this.#parts = parts;
    this.data = encodeControllerEntry(parts.codec, parts.command, parts.requestId, parts.author);
  }

  spares(): boolean {
    return true;
  }

  prepare(): void {
    stampControllerEntry(this.data, this.#parts.stamp());
  }

  out(): Writer {
    return this.#out;
  }

  applied(): void {
    this.#parts.done(decodeControllerAnswer(this.#parts.codec, this.#out.finish()));
  }

  refused(refused: Refusal): void {
    this.#parts.done({ refused });
  }

  lost(): void {
    this.#parts.done({ refused: 'lost' });
  }
}

/** An entry of a data group that a driver proposes: nobody waits for a reply, the state shows what came of it. */
export class QuietProposal implements Proposal {
  readonly data: Uint8Array;
  readonly #stamp: () => void;
  readonly #settled: () => void;

  constructor(data: Uint8Array, stamp: (data: Uint8Array) => void, settled: () => void) {
    this.data = data;
    this.#stamp = () => stamp(data);
    this.#settled = settled;
  }

  spares(): boolean {
    return true;
  }

  prepare(): void {
    this.#stamp();
  }

  out(): undefined {
    return undefined;
  }

  applied(): void {
    this.#settled();
  }

  refused(): void {
    this.#settled();
  }

  lost(): void {
    this.#settled();
  }
}
