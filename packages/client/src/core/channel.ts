import { DecodeError, Writer } from '@flotilla/base';
import type { Socket, SocketHandler, TimerId } from '@flotilla/ports';
import {
  beginFrame,
  type ClientWelcome,
  entryFormats,
  FrameKind,
  limits,
  openFrame,
  protocol,
  Role,
  readClientWelcome,
  readRefusal,
  sealFrame,
  writeHello,
} from '@flotilla/wire';
import { type ClientPorts, tuning } from './options.ts';

/**
 * One socket to a store: dials, says hello, hands over the welcome and then every frame. A frame that does
 * not fit closes this socket and nothing else.
 */

export interface ChannelEnd {
  /** `refused`: the store said why; `protocol`: its bytes do not fit; `unreachable`: it never answered. */
  readonly kind: 'refused' | 'protocol' | 'unreachable' | 'lost';
  /** The store's own code of a refusal, such as `wrong-cluster`; else empty. */
  readonly refusal: string;
  readonly reason: string;
}

export interface ChannelEvents {
  onWelcome(welcome: ClientWelcome, channel: Channel): void;
  onFrame(kind: number, body: Uint8Array): void;
  /** Called once, also if the store was never reached; nothing follows. */
  onEnd(end: ChannelEnd, channel: Channel): void;
}

export class Channel implements SocketHandler {
  readonly address: string;
  /** Before the hello left: a session of this channel is no older. */
  helloMs = 0;
  heardMs = 0;
  readonly #ports: ClientPorts;
  readonly #clusterId: string;
  readonly #events: ChannelEvents;
  readonly #socket: Socket;
  #state: 'dialling' | 'greeting' | 'open' | 'closed' = 'dialling';
  #handshake: TimerId;
  /** What we know about the end before the socket itself reports it. */
  #end: ChannelEnd | undefined;

  constructor(ports: ClientPorts, address: string, clusterId: string, events: ChannelEvents) {
    this.#ports = ports;
    this.address = address;
    this.#clusterId = clusterId;
    this.#events = events;
    this.#handshake = ports.timers.set(tuning.handshake, () => {
      this.#fail('unreachable', `no answer to the hello within ${tuning.handshake} ms`);
    });
    this.#socket = ports.network.dial(address, '/client', this);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Sends one sealed frame; ignored unless open. */
  send(frame: Uint8Array): void {
    if (this.#state === 'open') this.#socket.send(frame);
  }

  sendBare(kind: number, body?: Uint8Array): void {
    const out = new Writer(64);
    beginFrame(out);
    if (body !== undefined) out.raw(body);
    this.send(sealFrame(out, kind, this.#ports.hasher, true));
  }

  /** Ends in order; {@link ChannelEvents.onEnd} is not called. */
  close(reason: string): void {
    if (this.#state === 'closed') return;
    this.#shut();
    this.#socket.close(reason);
  }

  /** Ends at once because this store cannot be used. */
  fail(kind: ChannelEnd['kind'], reason: string, refusal = ''): void {
    this.#fail(kind, reason, refusal);
  }

  onOpen(): void {
    if (this.#state !== 'dialling') return;
    this.#state = 'greeting';
    this.helloMs = this.#ports.clock.monoMs();
    this.heardMs = this.helloMs;
    const out = new Writer(128);
    beginFrame(out);
    writeHello(out, {
      role: Role.client,
      protocolMin: protocol.min,
      protocolMax: protocol.max,
      formatMin: entryFormats.min,
      formatMax: entryFormats.max,
      clusterId: this.#clusterId,
      storeId: '',
      incarnation: '',
      address: '',
      lane: 0,
      addressBook: [],
    });
    this.#socket.send(sealFrame(out, FrameKind.hello, this.#ports.hasher, true));
  }

  onMessage(message: Uint8Array): void {
    if (this.#state !== 'greeting' && this.#state !== 'open') return;
    this.heardMs = this.#ports.clock.monoMs();
    try {
      const { kind, body } = openFrame(message, this.#ports.hasher, limits.peerFrameBytes);
      if (this.#state === 'open') this.#frame(kind, body);
      else this.#greeted(kind, body);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#fail('protocol', `the store sent what this client cannot read: ${error.message}`);
    }
  }

  onClose(reason: string): void {
    if (this.#state === 'closed') return;
    const kind = this.#state === 'open' ? 'lost' : 'unreachable';
    this.#finish({ kind, refusal: '', reason });
  }

  #frame(kind: number, body: Uint8Array): void {
    if (kind === FrameKind.ping) this.sendBare(FrameKind.pong, body);
    else this.#events.onFrame(kind, body);
  }

  #greeted(kind: number, body: Uint8Array): void {
    if (kind === FrameKind.refusal) {
      const refusal = readRefusal(body);
      const reason = refusal.message === '' ? `the store refused: ${refusal.code}` : refusal.message;
      this.#fail('refused', reason, refusal.code);
      return;
    }
    if (kind !== FrameKind.welcome)
      throw new DecodeError(`frame kind ${kind} in place of a welcome`, { kind });
    const welcome = readClientWelcome(body);
    if (welcome.protocol < protocol.min || welcome.protocol > protocol.max) {
      const spoken = `${protocol.min} to ${protocol.max}`;
      const reason = `the store speaks protocol ${welcome.protocol}, this client ${spoken}: update the older one`;
      this.#fail('refused', reason, 'wrong-protocol');
      return;
    }
    this.#ports.timers.clear(this.#handshake);
    this.#state = 'open';
    this.#events.onWelcome(welcome, this);
  }

  #fail(kind: ChannelEnd['kind'], reason: string, refusal = ''): void {
    if (this.#state === 'closed') return;
    this.#finish({ kind, refusal, reason });
    this.#socket.terminate();
  }

  #finish(end: ChannelEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#shut();
    this.#events.onEnd(end, this);
  }

  #shut(): void {
    this.#ports.timers.clear(this.#handshake);
    this.#state = 'closed';
  }
}
