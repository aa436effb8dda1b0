import type { Counter, Gauge, Meter } from '@flotilla/ports';

/** Counts of all links together: plain numbers on the hot path, handed to the meter once a ping. */
export class Traffic {
  framesSent = 0;
  framesReceived = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** Refused because a queue was full. */
  framesDropped = 0;
  /** Closed a socket: checksum, length, format. */
  framesBad = 0;
  refusals = 0;
  dials = 0;
}

const help: Readonly<Record<keyof Traffic, readonly [name: string, help: string]>> = {
  framesSent: ['flotilla_peer_frames_sent_total', 'Frames handed to sockets of other stores.'],
  framesReceived: ['flotilla_peer_frames_received_total', 'Frames received from other stores.'],
  bytesSent: ['flotilla_peer_bytes_sent_total', 'Bytes handed to sockets of other stores.'],
  bytesReceived: ['flotilla_peer_bytes_received_total', 'Bytes received from other stores.'],
  framesDropped: ['flotilla_peer_frames_dropped_total', 'Frames that found the queue of their lane full.'],
  framesBad: [
    'flotilla_peer_frames_bad_total',
    'Frames that closed their socket: checksum, length or format.',
  ],
  refusals: ['flotilla_peer_refusals_total', 'Handshakes that this store refused.'],
  dials: ['flotilla_peer_dials_total', 'Sockets dialled to other stores.'],
};

export class TrafficMeter {
  readonly #traffic: Traffic;
  readonly #counters: readonly { readonly key: keyof Traffic; readonly counter: Counter; told: number }[];
  readonly #up: Gauge;

  constructor(traffic: Traffic, meter: Meter) {
    this.#traffic = traffic;
    this.#counters = (Object.keys(help) as (keyof Traffic)[]).map((key) => ({
      key,
      counter: meter.counter(help[key][0], help[key][1]),
      told: 0,
    }));
    this.#up = meter.gauge('flotilla_peers_up', 'Stores whose consensus lane works.');
  }

  publish(peersUp: number): void {
    this.#up.set(peersUp);
    for (const line of this.#counters) {
      const total = this.#traffic[line.key];
      if (total === line.told) continue;
      line.counter.add(total - line.told);
      line.told = total;
    }
  }
}
