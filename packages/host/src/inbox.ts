import { BoundedQueue, type StoreId } from '@flotilla/base';
import type { Lane } from '@flotilla/ports';

export interface InboxFrame {
  readonly storeId: StoreId;
  readonly lane: Lane;
  readonly kind: number;
  readonly body: Uint8Array;
}

/** Frames that arrived since the last turn. A full inbox drops: Raft and streams repeat what matters. */
export class Inbox {
  readonly #queue: BoundedQueue<InboxFrame>;
  dropped = 0;

  constructor(bytesMax: number) {
    this.#queue = new BoundedQueue({ itemsMax: 65_536, bytesMax });
  }

  get length(): number {
    return this.#queue.length;
  }

  push(frame: InboxFrame): boolean {
    const taken = this.#queue.push(frame, frame.body.length);
    if (!taken) this.dropped++;
    return taken;
  }

  shift(): InboxFrame | undefined {
    return this.#queue.shift();
  }
}
