import {
  batch,
  copyReader,
  fitsDelta,
  fitsPage,
  index,
  isReady,
  noDigest,
  noRowDigest,
  notServed,
  patch,
  shard,
  source,
  target,
  type Variant,
} from './variant.ts';

/** What a copy is made of, and when it is whole. */
export const copies: readonly Variant[] = [
  {
    name: 'serve-after-freeze',
    rule: 'a frozen shard executes nothing, and that is judged as the command is applied',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [
      patch(
        batch,
        notServed,
        'if ((shard?.state !== ShardState.serving && shard?.state !== ShardState.frozen) || shard.epoch !== command.epoch) {',
      ),
    ],
  },
  {
    name: 'serve-before-activate',
    rule: 'a shard that is being imported executes nothing',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [
      patch(
        batch,
        notServed,
        'if ((shard?.state !== ShardState.serving && shard?.state !== ShardState.importing) || shard.epoch !== command.epoch) {',
      ),
    ],
  },
  {
    name: 'page-anywhere',
    rule: 'a page begins where the copy stands',
    harm: 'wrong content',
    bounds: 'early-changes',
    patches: [patch(target, fitsPage, 'if (page.view < staging.pos) return;'), noDigest],
  },
  {
    name: 'not-all-pages',
    rule: 'a copy is activated when its last page is there',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [patch(target, isReady, 'if (pos !== revision) return'), noDigest],
  },
  {
    name: 'activate-without-the-last-changes',
    rule: 'a copy is activated at exactly the revision at which its source is frozen',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [patch(target, isReady, 'if (!isComplete) return'), noDigest],
  },
  {
    name: 'replayed-commands',
    rule: 'changes are final states, not commands that a known session makes repeats of',
    harm: 'wrong content',
    bounds: 'early-changes',
    patches: [
      patch(
        target,
        'const items = readItems(delta.items, shard, this.#hasher, this.#slab);\n    if (items === undefined) return;',
        `const items = readItems(delta.items, shard, this.#hasher, this.#slab);
    if (items === undefined) return;
    const isRepeat = items.some((item) => {
      const row = item.kind === ItemKind.row ? this.#store.get(keyUnder(shard.rowHead, item.name)) : undefined;
      return row !== undefined && storedRowRevision(row) >= item.revision;
    });
    if (isRepeat) {
      staging.pos = delta.to;
      shard.dirty = true;
      return;
    }`,
      ),
      noDigest,
    ],
  },
  {
    name: 'gap-in-the-changes',
    rule: 'changes begin at or before the place that the copy has reached',
    harm: 'wrong content',
    bounds: 'two-writes',
    patches: [patch(target, fitsDelta, 'if (delta.to <= staging.pos) return;'), noDigest],
  },
  {
    name: 'changes-below-the-trim',
    rule: 'a source does not answer for changes whose names it has dropped',
    harm: 'wrong content',
    bounds: 'trimmed',
    patches: [patch(source, 'if (question.from < open.r0) return', 'if (false) return'), noDigest],
  },
  {
    name: 'index-not-stored',
    rule: 'the change index outlives a change of leader and a restart',
    harm: 'wrong content',
    bounds: 'one-write',
    patches: [
      patch(index, 'this.#store.put(entry.subarray(0, length), entry.subarray(length));', ''),
      noDigest,
    ],
  },
  {
    name: 'changes-beyond-the-applied',
    rule: 'a replica speaks only of revisions that it has applied',
    harm: 'wrong content',
    bounds: 'two-writes',
    patches: [
      patch(
        copyReader,
        'const { changes, to = shard.revision } =',
        'const { changes, to = shard.revision + 1 } =',
      ),
      noDigest,
    ],
  },
  {
    name: 'no-tombstones',
    rule: 'what was removed is named in the change index',
    harm: 'wrong content',
    bounds: 'deletes',
    patches: [
      patch(
        'kv/src/record-table.ts',
        'if (shard.openExport !== undefined) this.#note(shard, key, shard.revision, 0);',
        '',
      ),
      noDigest,
    ],
  },
  {
    name: 'cut-inside-a-revision',
    rule: 'changes are cut between revisions only',
    harm: 'wrong content',
    bounds: 'range-deletes',
    patches: [
      patch(index, 'if (last !== revision) whole = changes.length;', 'whole = changes.length;'),
      noDigest,
    ],
  },
  {
    name: 'damaged-record',
    rule: 'a page with an item that does not fit its hash is refused, and so is a copy that differs',
    harm: 'wrong content',
    bounds: 'damage',
    patches: [noDigest],
  },
  {
    name: 'damaged-row',
    rule: 'the digest covers session rows, too',
    harm: 'wrong content',
    bounds: 'damage',
    patches: [noRowDigest],
  },
  {
    name: 'keys-by-epoch',
    rule: 'no two copies of a shard in one group share a generation',
    harm: 'wrong content',
    bounds: 'late-removal',
    patches: [
      patch(
        shard,
        'this.useGeneration(generation);\n    this.revision = 0;',
        'this.useGeneration(epoch);\n    this.revision = 0;',
      ),
    ],
  },
  {
    name: 'page-from-before-the-trim',
    rule: 'a page is not older than the place at which a copy began again',
    harm: 'wrong content',
    bounds: 'trimmed',
    patches: [patch(target, fitsPage, 'if (!equalBytes(page.cursor, staging.cursor)) return;'), noDigest],
  },
];
