import { Lane } from '@flotilla/ports';
import { FrameKind } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { FabricLab, type LabStore, text } from '../../contract/fabric-lab.ts';

const KIB = 1024;

/** Two linked stores; what s1 sends to s2 is held until `open`. */
function clogged(): { readonly lab: FabricLab; readonly s1: LabStore; readonly s2: LabStore; open(): void } {
  const lab = new FabricLab();
  const tuning = { consensusQueueBytes: 100 * KIB, urgentReserveBytes: 10 * KIB, socketBytes: 50 * KIB };
  const s1 = lab.store('s1', { tuning });
  const s2 = lab.store('s2');
  s1.fabric.learn('s2', 's2:7401', 1);
  s1.fabric.want(['s2']);
  lab.until(() => s1.fabric.isUp('s2') && s1.fabric.peers()[0]?.bulkUp === true);
  lab.hub.policy = { route: (from) => (from === 's1' ? Number.POSITIVE_INFINITY : 1) };
  const open = (): void => {
    lab.hub.policy = { route: () => 1 };
    lab.hub.release();
  };
  return { lab, s1, s2, open };
}

const body = new Uint8Array(10 * KIB);

describe('outgoing queues', () => {
  test('what waits is bounded: a full queue refuses, and says how much it holds', () => {
    const { lab, s1, s2, open } = clogged();
    let accepted = 0;
    while (s1.fabric.send('s2', Lane.consensus, FrameKind.raft, body, 'normal')) accepted++;
    // 256 KiB of the memory network's system buffer, 50 of the socket, 100 of the queue.
    expect(accepted).toBeGreaterThanOrEqual(39);
    expect(accepted).toBeLessThanOrEqual(41);
    const queued = s1.fabric.queuedBytes('s2', Lane.consensus);
    expect(queued).toBeGreaterThan(140 * KIB);
    expect(queued).toBeLessThan(165 * KIB);
    expect(s1.fabric.traffic.framesDropped).toBe(1);
    // A reserve keeps votes alive.
    expect(s1.fabric.send('s2', Lane.consensus, FrameKind.raft, text('vote'), 'urgent')).toBe(true);
    // The other lane has a socket and a queue of its own (N7, N8).
    expect(s1.fabric.send('s2', Lane.bulk, FrameKind.snapshotChunk, body, 'normal')).toBe(true);
    open();
    lab.time.advance(100);
    expect(s2.host.frames.length).toBe(accepted + 2);
    expect(s1.fabric.queuedBytes('s2', Lane.consensus)).toBe(0);
    expect(s1.fabric.send('s2', Lane.consensus, FrameKind.raft, body, 'normal')).toBe(true);
  });

  test('urgent frames overtake those that wait, and each class keeps its order', () => {
    const { lab, s1, s2, open } = clogged();
    for (let count = 0; count < 32; count++)
      s1.fabric.send('s2', Lane.consensus, FrameKind.raft, body, 'normal');
    const sendText = (what: string, urgency: 'urgent' | 'normal'): boolean =>
      s1.fabric.send('s2', Lane.consensus, FrameKind.raft, text(what), urgency);
    sendText('append 1', 'normal');
    sendText('vote 1', 'urgent');
    sendText('append 2', 'normal');
    sendText('vote 2', 'urgent');
    open();
    lab.time.advance(100);
    const texts = s2.host.frames.map((frame) => frame.text).filter((what) => what.length < 20);
    expect(texts).toEqual(['vote 1', 'vote 2', 'append 1', 'append 2']);
  });

  test('a queue ends with its link: nothing old arrives after a reconnect', () => {
    const { lab, s1, s2, open } = clogged();
    for (let count = 0; count < 35; count++)
      s1.fabric.send('s2', Lane.consensus, FrameKind.raft, body, 'normal');
    lab.hub.breakLinks('s1', 's2');
    open();
    lab.until(() => s1.host.heard.length >= 3);
    expect(s1.host.heard).toEqual(['up s2', 'down s2', 'up s2']);
    expect(s1.fabric.queuedBytes('s2', Lane.consensus)).toBe(0);
    lab.time.advance(1000);
    expect(s2.host.frames).toEqual([]);
  });

  test('an idle store without links sets no timer but its pulse', () => {
    const lab = new FabricLab();
    const store = lab.store('s1', { seeds: [] });
    lab.time.advance(10_000);
    expect(store.fabric.peers()).toEqual([]);
    expect(lab.time.waiting).toBe(1);
  });
});
