import type { Call, Condition, Operation, Outcome } from './history.ts';

/**
 * Histories as text, one event a line, for tests and reports:
 *
 *   a> put k 1             client a calls
 *   a< ok @3               and is answered: ok, version 3
 *   b> get k               b< = 1 @3, or b< absent
 *   c> cas k @3 2          put if version 3; `=1` for if-value, `none` for if-absent, `some` for if-present
 *   c< conflict @4         (0: the key is absent)
 *   d> append k x          d? outcome unknown, d! surely not applied
 *   e> incr k 5            e< ok =5 @7
 *   f> delete k
 *
 * A client without an answer at the end has an unknown outcome.
 */
export function parseHistory(text: string): Operation[] {
  const operations: Operation[] = [];
  const open = new Map<string, { readonly key: string; readonly call: Call; readonly invokedAt: number }>();
  const lines = text.split('\n').map((line) => line.trim());
  lines.forEach((line, position) => {
    if (line === '') return;
    const match = /^(\w+)([<>?!])\s*(.*)$/.exec(line);
    if (match === null) throw new Error(`not an event: ${line}`);
    const [, client, sign, rest] = match as unknown as [string, string, string, string];
    const words = rest.split(/\s+/).filter((word) => word !== '');
    if (sign === '>') {
      if (open.has(client)) throw new Error(`${client} calls twice: ${line}`);
      open.set(client, { key: words[1] as string, call: parseCall(words), invokedAt: position });
      return;
    }
    const call = open.get(client);
    if (call === undefined) throw new Error(`${client} has no open call: ${line}`);
    open.delete(client);
    const outcome: Outcome =
      sign === '?'
        ? { kind: 'unknown' }
        : sign === '!'
          ? { kind: 'not-applied' }
          : parseOutcome(words, call.call);
    operations.push({ client, ...call, respondedAt: position, outcome });
  });
  for (const [client, call] of open) {
    operations.push({ client, ...call, respondedAt: undefined, outcome: { kind: 'unknown' } });
  }
  return operations.sort((left, right) => left.invokedAt - right.invokedAt);
}

function parseCall(words: readonly string[]): Call {
  const [verb, , third = '', fourth = ''] = words;
  switch (verb) {
    case 'get':
      return { kind: 'get' };
    case 'put':
      return { kind: 'put', value: third };
    case 'append':
      return { kind: 'append', value: third };
    case 'incr':
      return { kind: 'increment', delta: Number(third) };
    case 'delete':
      return third === '' ? { kind: 'delete' } : { kind: 'delete', condition: parseCondition(third) };
    case 'cas':
      return { kind: 'put', condition: parseCondition(third), value: fourth };
    default:
      throw new Error(`not a call: ${words.join(' ')}`);
  }
}

function parseCondition(word: string): Condition {
  if (word === 'none') return { kind: 'absent' };
  if (word === 'some') return { kind: 'present' };
  if (word.startsWith('@')) return { kind: 'version', version: Number(word.slice(1)) };
  return { kind: 'value', value: word.slice(1) };
}

function parseOutcome(words: readonly string[], call: Call): Outcome {
  const at = words.find((word) => word.startsWith('@'));
  const version = at === undefined ? {} : { version: Number(at.slice(1)) };
  const equals = words.find((word) => word.startsWith('=') && word.length > 1)?.slice(1);
  const value = equals ?? (words[0] === '=' ? words[1] : undefined);
  if (words[0] === 'absent') return { kind: 'absent' };
  if (words[0] === 'conflict') return { kind: 'conflict', ...version };
  if (call.kind === 'get') return { kind: 'found', value: value ?? '', ...version };
  return { kind: 'ok', ...version, ...(value === undefined ? {} : { value }) };
}
