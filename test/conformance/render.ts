import {
  APPEND_THREAD,
  APPLY_THREAD,
  type ConfState,
  type Entry,
  EntryKind,
  type Message,
  type RaftId,
  type SnapshotMeta,
} from '@flotilla/base';
import {
  type ConfChangeKind,
  decodeConfChange,
  describeProgress,
  messageKindName,
  type ProgressView,
  type Ready,
  type Role,
} from '@flotilla/raft';

/** The text form of values in the interaction files. */

const ROLE_NAMES: Readonly<Record<Role, string>> = {
  follower: 'StateFollower',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
  'pre-candidate': 'StatePreCandidate',
};

export function renderRole(role: Role): string {
  return ROLE_NAMES[role];
}

const KIND_LETTERS: Readonly<Record<ConfChangeKind, string>> = {
  'add-voter': 'v',
  'add-learner': 'l',
  remove: 'r',
  update: 'u',
};

export function renderEntry(entry: Entry): string {
  const head = `${entry.term}/${entry.index}`;
  if (entry.kind === EntryKind.normal) return `${head} EntryNormal ${quote(entry.data)}`;
  const name = entry.kind === EntryKind.confChange ? 'EntryConfChange' : 'EntryConfChangeV2';
  const changes = decodeConfChange(entry.data).changes.map(({ kind, id }) => `${KIND_LETTERS[kind]}${id}`);
  return [head, name, ...changes].join(' ');
}

export function renderConfState(conf: ConfState): string {
  const list = (ids: readonly RaftId[]): string => `[${ids.join(' ')}]`;
  return (
    `Voters:${list(conf.voters)} VotersOutgoing:${list(conf.votersOutgoing)} ` +
    `Learners:${list(conf.learners)} LearnersNext:${list(conf.learnersNext)} AutoLeave:${conf.autoLeave}`
  );
}

export function renderSnapshot(snapshot: SnapshotMeta): string {
  return `Index:${snapshot.index} Term:${snapshot.term} ConfState:${renderConfState(snapshot.confState)}`;
}

function renderId(id: RaftId): string {
  if (id === 0) return 'None';
  if (id === APPEND_THREAD) return 'AppendThread';
  if (id === APPLY_THREAD) return 'ApplyThread';
  return id.toString(16);
}

/** Without a newline at its end. */
export function renderMessage(message: Message, indent = ''): string {
  const { from, to, kind, term, logTerm, index, entries, snapshot, responses } = message;
  let text = `${indent}${renderId(from)}->${renderId(to)} ${messageKindName(kind)} Term:${term} Log:${logTerm}/${index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) text += ` Commit:${message.commit}`;
  if (message.vote !== 0) text += ` Vote:${message.vote}`;
  const [first, second] = entries;
  if (first !== undefined && second === undefined) text += ` Entries:[${renderEntry(first)}]`;
  if (second !== undefined) {
    text += ' Entries:[';
    for (const entry of entries) text += `\n${indent}  ${renderEntry(entry)}`;
    text += `\n${indent}]`;
  }
  if (snapshot !== undefined && snapshot.index !== 0) {
    text += `\n${indent}  Snapshot: ${renderSnapshot(snapshot)}`;
  }
  if (responses.length > 0) {
    text += ' Responses:[';
    for (const response of responses) text += `\n${renderMessage(response, `${indent}  `)}`;
    text += `\n${indent}]`;
  }
  return text;
}

export function renderReady(ready: Ready): string {
  let text = '';
  const { softState, hardState, snapshot } = ready;
  if (softState !== undefined) text += `Lead:${softState.leaderId} State:${renderRole(softState.role)}\n`;
  if (hardState !== undefined) {
    text += `HardState Term:${hardState.term}`;
    if (hardState.vote !== 0) text += ` Vote:${hardState.vote}`;
    text += ` Commit:${hardState.commit}\n`;
  }
  if (ready.readStates.length > 0) {
    const states = ready.readStates.map(({ index, context }) => `{${index} [${[...context].join(' ')}]}`);
    text += `ReadStates [${states.join(' ')}]\n`;
  }
  if (ready.entries.length > 0) text += block('Entries:', ready.entries.map(renderEntry));
  if (snapshot !== undefined) text += `Snapshot ${renderSnapshot(snapshot)}\n`;
  if (ready.committedEntries.length > 0)
    text += block('CommittedEntries:', ready.committedEntries.map(renderEntry));
  if (ready.messages.length > 0) {
    text += block(
      'Messages:',
      ready.messages.map((message) => renderMessage(message)),
    );
  }
  return text === '' ? '<empty Ready>' : `Ready MustSync=${ready.mustSync}:\n${text}`;
}

function block(title: string, lines: readonly string[]): string {
  return `${[title, ...lines].join('\n')}\n`;
}

/** One line per member, ascending; ids are decimal here. */
export function renderProgressMap(progress: ReadonlyMap<RaftId, ProgressView>): string {
  let text = '';
  for (const id of [...progress.keys()].sort((left, right) => left - right)) {
    text += `${id}: ${describeProgress(progress.get(id) as ProgressView)}\n`;
  }
  return text;
}

const ESCAPES = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\u0007', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
]);

/** Data in double quotes, escaped as Go's %q does it. */
export function quote(data: Uint8Array): string {
  let text = '"';
  for (const char of new TextDecoder().decode(data)) {
    const code = char.codePointAt(0) as number;
    const escaped = ESCAPES.get(char);
    if (escaped !== undefined) text += escaped;
    else if (code < 0x20 || code === 0x7f) text += `\\x${code.toString(16).padStart(2, '0')}`;
    else text += char;
  }
  return `${text}"`;
}
