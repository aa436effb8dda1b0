import { utf8Decode, Xxh64 } from '@flotilla/base';
import { MoveAnswer, type MoveEntry, type MoveOutcome, MoveStep, openDelta, openPage } from '@flotilla/wire';
import { EventKind } from './events.ts';
import { stateWords } from './group-machine.ts';
import { resultText } from './ledger.ts';
import { gidOf, type MoveModel } from './move-model.ts';
import { writeWords } from './writes.ts';

/** Events and states in words, for the trace of whoever has to understand one. */

const hasher = new Xxh64();

function nameOf<T extends Record<string, unknown>>(names: T, value: unknown): string {
  return Object.entries(names).find(([, each]) => each === value)?.[0] ?? String(value);
}

function cursorWords(cursor: Uint8Array): string {
  const [kind] = cursor;
  if (kind === undefined) return 'start';
  if (kind === 1) return utf8Decode(cursor.subarray(1));
  return kind === 2 ? `row ${cursor[cursor.length - 1]}` : 'end';
}

function stepWords(step: MoveEntry): string {
  const name = `${nameOf(MoveStep, step.step)}(m${step.moveId}`;
  switch (step.step) {
    case MoveStep.activateEmpty:
    case MoveStep.beginExport:
      return `${name}, epoch ${step.epoch})`;
    case MoveStep.trimExport:
      return `${name}, to ${step.to})`;
    case MoveStep.freeze:
      return `${name}, epoch ${step.epoch}, pos ${step.pos})`;
    case MoveStep.beginImport:
      return `${name}, epoch ${step.epoch}, base ${step.base})`;
    case MoveStep.importChunk: {
      const page = openPage(step.page, hasher);
      if (page === undefined) return `${name}, a damaged page)`;
      const to = page.isLast ? 'end' : cursorWords(page.next);
      return `${name}, page of m${page.moveId} from ${cursorWords(page.cursor)} to ${to}, view ${page.view})`;
    }
    case MoveStep.importDelta: {
      const delta = openDelta(step.delta, hasher);
      if (delta === undefined) return `${name}, a damaged delta)`;
      return `${name}, changes of m${delta.moveId} from ${delta.from} to ${delta.to})`;
    }
    case MoveStep.activate:
      return `${name}, R ${step.revision})`;
    default:
      return `${name})`;
  }
}

function outcomeWords(outcome: MoveOutcome): string {
  const name = nameOf(MoveAnswer, outcome.answer);
  switch (outcome.answer) {
    case MoveAnswer.opened:
    case MoveAnswer.trimmed:
    case MoveAnswer.notYet:
      return `${name}, r0 ${outcome.r0}`;
    case MoveAnswer.frozen:
      return `${name} at ${outcome.facts.revision}`;
    case MoveAnswer.staged:
    case MoveAnswer.gap:
      return `${name}, cursor ${cursorWords(outcome.cursor)}, pos ${outcome.pos}`;
    default:
      return name;
  }
}

/** One event in the state of `row`, with what came of it. */
export function eventWords(
  model: MoveModel,
  row: Uint32Array,
  kind: EventKind,
  left: number,
  right: number,
): string {
  const { controller, groups, layout } = model;
  const state = (): number => row[layout.group(left)] as number;
  switch (kind) {
    case EventKind.entry:
    case EventKind.damage: {
      const step = groups.stepOf(right);
      groups.apply(state(), right);
      if (step === undefined)
        return `group ${gidOf(left)}: removal of what is due${stampWords(model, right)}`;
      const damage = kind === EventKind.damage ? ' with a bit changed' : '';
      const answer = outcomeWords(groups.outcome(groups.answer));
      return `group ${gidOf(left)}: ${stepWords(step)}${damage}${stampWords(model, right)} -> ${answer}`;
    }
    case EventKind.attempt: {
      groups.apply(state(), right);
      const sent = model.entries.sentIn(right);
      const said = resultText(groups.result(groups.answer));
      return `group ${gidOf(left)}: ${sent === undefined ? 'a write' : writeWords(sent)}${stampWords(model, right)} -> ${said}`;
    }
    case EventKind.command: {
      const { config } = layout;
      return `controller: ${controller.words(left)} -> ${controller.answer(row[config] as number, left)}`;
    }
    case EventKind.hear:
      return `client ${clientWords(left)} hears its answer and goes on`;
    case EventKind.giveUp:
      return `client ${clientWords(left)} gives up and goes on`;
    case EventKind.drop:
      return `the stores of group ${gidOf(left)}, which the config names no more, drop it`;
    case EventKind.remove:
      return `group ${gidOf(left)}: what was dropped is removed from the disk`;
  }
}

function stampWords(model: MoveModel, entry: number): string {
  if (model.bounds.timeMax === 0) return '';
  const time = model.entries.timeOf(entry);
  return time < 0 ? '' : ` at time ${time}`;
}

function clientWords(client: number): string {
  return String.fromCharCode(97 + client);
}

/** A state in one line for each group, and one for the config. */
export function rowWords(model: MoveModel, row: Uint32Array): readonly string[] {
  const lines: string[] = [];
  const config = model.config(row);
  const record = config.shards[0];
  const { intent } = record ?? {};
  const open =
    intent === undefined
      ? 'no move open'
      : `m${intent.moveId} to group ${intent.target}${intent.phase === 1 ? ', being cancelled' : ''}`;
  lines.push(`config ${config.number}: owner ${record?.owner}, epoch ${record?.epoch}, ${open}`);
  for (let place = 0; place < model.layout.groups; place++) {
    const { state, status, items } = model.facts(row, place);
    const parts = [stateWords[state]];
    if (status !== undefined) {
      parts.push(`fence ${status.fence}`);
      if (status.state !== 0)
        parts.push(`by m${status.moveId}, epoch ${status.epoch}, revision ${status.revision}`);
      const { openExport: exported, staging } = status;
      if (exported !== undefined) parts.push(`exports for m${exported.moveId} from ${exported.r0}`);
      if (staging !== undefined) parts.push(`cursor ${cursorWords(staging.cursor)}, pos ${staging.pos}`);
      if (items.size > 0) {
        const listed = [...items.values()].map((item) => `${item.words}@${item.revision}`);
        parts.push(`holds ${listed.join(', ')}`);
      }
    }
    lines.push(`group ${gidOf(place)}: ${parts.join('; ')}`);
  }
  return lines;
}
