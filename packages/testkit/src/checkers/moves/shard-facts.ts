/** What the applied state of one group says of one shard, as far as the checks look at it. */
export interface ShardFacts {
  readonly state: 'absent' | 'importing' | 'serving' | 'frozen';
  readonly fence: number;
  /** The move that brought the copy (serving), brings it (importing) or took it away (frozen). */
  readonly moveId: number;
  readonly epoch: number;
  readonly generation: number;
  readonly revision: number;
  readonly timeFloor: number;
  readonly opened: OpenedExport | undefined;
  readonly staged: Staged | undefined;
}

export interface OpenedExport {
  readonly moveId: number;
  readonly r0: number;
}

export interface Staged {
  readonly cursor: Uint8Array;
  readonly isComplete: boolean;
  readonly pos: number;
}

/** Before anything was heard of it. */
export const NOTHING_KNOWN: ShardFacts = {
  state: 'absent',
  fence: 0,
  moveId: 0,
  epoch: 0,
  generation: 0,
  revision: 0,
  timeFloor: 0,
  opened: undefined,
  staged: undefined,
};

export function factsWords(facts: ShardFacts): string {
  const { state, fence, moveId, epoch, generation, revision, opened, staged } = facts;
  const parts = [state, `fence ${fence}`];
  if (state !== 'absent') {
    parts.push(`move ${moveId}`, `epoch ${epoch}`, `generation ${generation}`, `revision ${revision}`);
  }
  if (opened !== undefined) parts.push(`export of move ${opened.moveId} since ${opened.r0}`);
  if (staged !== undefined) {
    const cursor = staged.isComplete ? 'complete' : `cursor of ${staged.cursor.length} bytes`;
    parts.push(`${cursor}, pos ${staged.pos}`);
  }
  return parts.join(', ');
}

/** Names of the fields in which two differ. */
export function differences(left: ShardFacts, right: ShardFacts): string[] {
  const names: string[] = [];
  for (const name of ['state', 'fence'] as const) if (left[name] !== right[name]) names.push(name);
  if (left.state === 'absent' && right.state === 'absent') return names;
  for (const name of ['moveId', 'epoch', 'generation'] as const) {
    if (left[name] !== right[name]) names.push(name);
  }
  // What a staging has counted so far says nothing: revision and time come with the activation.
  if (left.state !== 'importing') {
    if (left.revision !== right.revision) names.push('revision');
    if (left.timeFloor !== right.timeFloor) names.push('timeFloor');
  }
  if (!sameExport(left.opened, right.opened)) names.push('export');
  if (!sameStaged(left.staged, right.staged)) names.push('staging');
  return names;
}

function sameExport(left: OpenedExport | undefined, right: OpenedExport | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return left.moveId === right.moveId && left.r0 === right.r0;
}

function sameStaged(left: Staged | undefined, right: Staged | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  if (left.pos !== right.pos || left.isComplete !== right.isComplete) return false;
  return (
    left.cursor.length === right.cursor.length && left.cursor.every((byte, at) => byte === right.cursor[at])
  );
}
