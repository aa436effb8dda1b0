import { describe, expect, test } from 'vitest';
import { memberText, parseRecordLine } from './json-line.ts';
import { type Line, readLines } from './line-reader.ts';
import { type LoadOptions, loadLines } from './load.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function stored(line: string): [string, string] {
  const { key, value } = parseRecordLine(line);
  return [text(key), text(value)];
}

describe('a line of load', () => {
  test('stores a string as it is and anything else as its JSON text', () => {
    expect(stored('{"key":"a","value":"x\\ny"}')).toEqual(['a', 'x\ny']);
    expect(stored('{"key":"a","value":{"b":[1,null,true]}}')).toEqual(['a', '{"b":[1,null,true]}']);
    expect(stored('{"key":"a","value":null}')).toEqual(['a', 'null']);
    expect(stored('{"key":"a","value":""}')).toEqual(['a', '']);
  });

  test('keeps numbers as they are written, and drops white space between tokens only', () => {
    expect(stored('{"key":"a","value":12345678901234567890}')[1]).toBe('12345678901234567890');
    expect(stored('{ "key": "a", "value": { "b" : [ 1.0 , " x " ] } }')[1]).toBe('{"b":[1.0," x "]}');
  });

  test('takes the last of two equal members, as every JSON parser does, and none from deeper down', () => {
    const line = '{"value":1.0,"more":{"value":2.0},"key":"a","value":{"value":3.0},"z":[{"value":4.0}]}';
    expect(stored(line)[1]).toBe('{"value":3.0}');
    expect(memberText('{"a":[1,{"b":2}],"b":"}\\"{"}', 'b')).toBe('"}\\"{"');
    expect(memberText('{}', 'b')).toBeUndefined();
  });

  test('may give bytes as hexadecimal', () => {
    const { key, value } = parseRecordLine('{"keyHex":"00ff","valueHex":"fe"}');
    expect([[...key], [...value]]).toEqual([[0, 255], [254]]);
  });

  test.each([
    ['{', /^not JSON/],
    ['[1]', /^not a JSON object/],
    ['null', /^not a JSON object/],
    ['{"value":1}', /no "key"/],
    ['{"key":1,"value":1}', /"key" is not a string/],
    ['{"key":"a"}', /no "value"/],
    ['{"key":"","value":1}', /the key is empty/],
    ['{"keyHex":"0","value":1}', /not hexadecimal/],
    ['{"key":"\\ud800","value":1}', /half a surrogate pair/],
  ])('%s is refused with a reason', (line, reason) => {
    expect(() => parseRecordLine(line)).toThrow(reason);
  });

  test('is measured at the limit and one byte beyond it, in bytes and not in characters', () => {
    const line = (key: string, value: string) => JSON.stringify({ key, value });
    expect(parseRecordLine(line('k'.repeat(1024), 'v'.repeat(1_048_576))).value.length).toBe(1_048_576);
    expect(() => parseRecordLine(line('k'.repeat(1025), 'v'))).toThrow(/key has 1025 bytes: at most 1024/);
    expect(() => parseRecordLine(line('ü'.repeat(513), 'v'))).toThrow(/key has 1026 bytes/);
    expect(() => parseRecordLine(line('k', 'v'.repeat(1_048_577)))).toThrow(/value has 1048577 bytes/);
  });
});

async function* chunksOf(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part, 'latin1');
}

async function linesOf(chunks: AsyncIterable<Uint8Array>, max?: number): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(chunks, max)) lines.push(line);
  return lines;
}

describe('lines of a stream', () => {
  test('are the same wherever the chunks end, with and without a last newline', async () => {
    const whole = 'ab\r\ncde\n\nf';
    for (let cut = 0; cut <= whole.length; cut++) {
      const lines = await linesOf(chunksOf(whole.slice(0, cut), whole.slice(cut)));
      expect(lines.map((line) => line.text)).toEqual(['ab', 'cde', '', 'f']);
      expect(lines.map((line) => line.endOffset)).toEqual([4, 8, 9, 10]);
      expect(lines.map((line) => line.number)).toEqual([1, 2, 3, 4]);
    }
  });

  test('that are too long or no UTF-8 are told by number, and the next ones are fine', async () => {
    const lines = await linesOf(chunksOf('12345', '678', '9\n', 'a\xff\nok\n'), 8);
    expect(lines.map((line) => line.text)).toEqual([undefined, undefined, 'ok']);
    expect(lines[0]?.fault).toMatch(/longer than 8 bytes/);
    expect(lines[1]?.fault).toBe('not UTF-8');
  });

  test('at the limit are taken', async () => {
    const lines = await linesOf(chunksOf('1234', '5678\n', '123456789'), 8);
    expect(lines.map((line) => line.text)).toEqual(['12345678', undefined]);
  });
});

class Store {
  readonly values = new Map<string, string>();
  readonly waiting: (() => void)[] = [];
  inFlightMax = 0;
  refuse = new Set<string>();
  held = false;

  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve);
      this.inFlightMax = Math.max(this.inFlightMax, this.waiting.length);
      // The newest first: whoever relies on the order of sending is found out.
      if (!this.held) setImmediate(() => this.waiting.pop()?.());
    });
    if (this.refuse.has(text(key))) throw new Error(`no ${text(key)} today`);
    this.values.set(text(key), text(value));
  }
}

async function load(store: Store, lines: readonly string[], options: Partial<LoadOptions> = {}) {
  const failures: string[] = [];
  const summary = await loadLines(readLines(chunksOf(`${lines.join('\n')}\n`)), store, {
    continueOnError: false,
    onFailure: (line, message) => failures.push(`${line}: ${message}`),
    onProgress: () => {},
    ...options,
  });
  return { summary, failures };
}

const line = (key: string, value: string) => JSON.stringify({ key, value });

describe('load', () => {
  test('stores every line and counts them', async () => {
    const store = new Store();
    const lines = Array.from({ length: 500 }, (_, at) => line(`k${at}`, `v${at}`));
    const { summary } = await load(store, lines, { writesMax: 16 });
    expect(summary).toMatchObject({ stored: 500, failed: 0, complete: true });
    expect(store.values.size).toBe(500);
    expect(store.inFlightMax).toBe(16);
  });

  test('lets the last line of a key win, however the writes overtake each other', async () => {
    const store = new Store();
    const lines = Array.from({ length: 60 }, (_, at) => line(`k${at % 3}`, `v${at}`));
    await load(store, lines);
    expect([...store.values].sort()).toEqual([
      ['k0', 'v57'],
      ['k1', 'v58'],
      ['k2', 'v59'],
    ]);
  });

  test('holds no more bytes in flight than allowed, but always one record', async () => {
    const store = new Store();
    const lines = Array.from({ length: 20 }, (_, at) => line(`k${at}`, 'v'.repeat(100)));
    await load(store, lines, { bytesMax: 250 });
    expect(store.inFlightMax).toBe(2);
    await load(store, lines, { bytesMax: 10 });
    expect(store.values.size).toBe(20);
  });

  test('ends at the first bad line and says its number', async () => {
    const store = new Store();
    const { summary, failures } = await load(store, [line('a', '1'), '', 'nonsense', line('b', '2')]);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatch(/^3: not JSON/);
    expect(summary).toMatchObject({ stored: 1, failed: 1, complete: false });
    expect(store.values.has('b')).toBe(false);
  });

  test('goes on after bad lines and refused writes if told so', async () => {
    const store = new Store();
    store.refuse.add('c');
    const lines = [line('a', '1'), 'nonsense', line('c', '3'), line('d', '4')];
    const { summary, failures } = await load(store, lines, { continueOnError: true });
    expect(failures.map((failure) => failure.slice(0, 2)).sort()).toEqual(['2:', '3:']);
    expect(summary).toMatchObject({ stored: 2, failed: 2, complete: true });
    expect((summary.writeFailure as Error).message).toBe('no c today');
  });
});
