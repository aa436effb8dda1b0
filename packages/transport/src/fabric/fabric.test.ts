import { Lane } from '@flotilla/ports';
import { FrameKind } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { FabricLab, type LabStore, text } from '../../contract/fabric-lab.ts';

/** Every store has both lanes to every other. */
function meshed(stores: readonly LabStore[]): boolean {
  return stores.every((store) =>
    store.fabric.peers().every((peer) => !peer.wanted || (peer.consensusUp && peer.bulkUp)),
  );
}

describe('links', () => {
  test('stores that dial each other at the same time end with one socket for each pair and lane', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const lab = new FabricLab(seed);
      const delays = lab.random.fork('delays');
      lab.hub.policy = { route: () => delays.below(20) };
      const stores = lab.cluster('s1', 's2', 's3');
      lab.until(() => meshed(stores), 5000);
      lab.time.advance(3000);
      expect(meshed(stores)).toBe(true);
      expect(lab.hub.connections).toBe(6);
      for (const store of stores)
        expect(store.host.heard.filter((event) => event.startsWith('down'))).toEqual([]);
    }
  });

  test('frames arrive on their lane with their kind and bytes', () => {
    const lab = new FabricLab();
    const [s1, s2] = lab.cluster('s1', 's2') as [LabStore, LabStore];
    lab.until(() => meshed([s1, s2]));
    expect(s1.fabric.send('s2', Lane.consensus, FrameKind.raft, text('votes'), 'urgent')).toBe(true);
    expect(s2.fabric.send('s1', Lane.bulk, FrameKind.snapshotChunk, text('pages'), 'normal')).toBe(true);
    lab.time.advance(5);
    expect(s2.host.frames).toEqual([
      { from: 's1', lane: Lane.consensus, kind: FrameKind.raft, text: 'votes' },
    ]);
    expect(s1.host.frames).toEqual([
      { from: 's2', lane: Lane.bulk, kind: FrameKind.snapshotChunk, text: 'pages' },
    ]);
  });
});
