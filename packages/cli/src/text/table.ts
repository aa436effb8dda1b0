/** Plain columns for terminals and for people who paste them: two blanks between, no lines around. */

export interface Column {
  readonly title: string;
  readonly align?: Align;
}

type Align = 'left' | 'right';

/** Cells under their titles; each line without trailing blanks. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const aligns = columns.map(({ align = 'left' }) => align);
  return alignedLines(aligns, [columns.map(({ title }) => title), ...rows]);
}

/** The same without titles. */
export function alignedLines(aligns: readonly Align[], rows: readonly (readonly string[])[]): string[] {
  const widths = aligns.map((_, at) => rows.reduce((most, row) => Math.max(most, width(row[at] ?? '')), 0));
  // A column without any cell takes no room.
  const used = aligns.map((_, at) => at).filter((at) => (widths[at] as number) > 0);
  return rows.map((cells) =>
    used
      .map((at) => {
        const cell = cells[at] ?? '';
        const blanks = ' '.repeat((widths[at] as number) - width(cell));
        return aligns[at] === 'right' ? blanks + cell : cell + blanks;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Characters, not code units; good enough for ids, addresses and numbers. */
export function width(text: string): number {
  return [...text].length;
}

const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < sizeUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${sizeUnits[unit]}`;
}

/** 12345678 as 12,345,678 on every machine. */
export function countText(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 shard`, `2 shards`. */
export function plural(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}

export function timeText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds - minutes * 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
