import { rarePoints } from '@flotilla/ports';
import type { SeedRun } from './sim-seeds.ts';
import { faultKinds } from './world/faults.ts';

const names = [
  'operations',
  'elections',
  'snapshots',
  'crashes',
  'powerCuts',
  'faults',
  'strikes',
  'echoes',
] as const;

/** Of the table of faults. */
const COLUMNS = 4;

/** What many seeds came to together. */
export class Totals {
  failed = 0;
  #seeds = 0;
  #virtualMs = 0;
  #digests = 0;
  #twice = 0;
  readonly #sums = new Map<string, number>();
  readonly #faults = new Map<string, number>();
  readonly #rare = new Map<string, number>();

  add({ passed, twice, result, checker }: SeedRun): void {
    this.#seeds++;
    if (twice) this.#twice++;
    if (!passed) this.failed++;
    if (checker === 'digest') this.#digests++;
    this.#virtualMs += result.virtualMs;
    for (const name of names) this.#add(name, result[name]);
    for (const [name, count] of Object.entries(result.moves)) this.#add(name, count);
    for (const [kind, count] of Object.entries(result.faultCounts)) add(this.#faults, kind, count);
    for (const [point, count] of Object.entries(result.rare)) add(this.#rare, point, count);
  }

  words(realMs: number): string {
    const of = (name: string): number => this.#sums.get(name) ?? 0;
    const passed = this.failed === 0 ? ' passed' : `, ${this.failed} of them failed`;
    return [
      `${this.#seeds} seeds${passed}: ${of('operations')} operations, ${of('elections')} elections, ` +
        `${of('snapshots')} snapshots, ${of('crashes')} crashes, ${of('powerCuts')} power cuts`,
      `moves: ${of('begun')} begun, ${of('done')} done, ${of('cancelled')} cancelled, ${of('hit')} with faults in them, ` +
        `${of('restarted')} copies begun anew, ${this.#digests} digests that differ`,
      `faults: ${of('faults')}, and ${of('strikes')} right after a step of a move; ${of('echoes')} writes were heard twice`,
      `${this.#twice} seeds were run twice to compare the event hashes`,
      this.#faultTable(),
      this.#rareWords(),
      `${Math.round(this.#virtualMs / 1000)} s in ${(realMs / 1000).toFixed(1)} s ` +
        `(${Math.round(this.#virtualMs / realMs)} x)`,
    ].join('\n');
  }

  /** Each kind of fault and how often it struck. */
  #faultTable(): string {
    const cells = faultKinds.map(
      (kind) => `${kind.padEnd(18)}${String(this.#faults.get(kind) ?? 0).padStart(8)}`,
    );
    const rows: string[] = [];
    for (let at = 0; at < cells.length; at += COLUMNS)
      rows.push(`  ${cells.slice(at, at + COLUMNS).join('   ')}`);
    return rows.join('\n');
  }

  #rareWords(): string {
    const points = Object.keys(rarePoints);
    const missing = points.filter((point) => !this.#rare.has(point));
    const never = missing.length === 0 ? '' : `; never ${missing.join(', ')}`;
    return `rare branches: ${this.#rare.size} of ${points.length} points were taken${never}`;
  }

  #add(name: string, count: number): void {
    add(this.#sums, name, count);
  }
}

function add(sums: Map<string, number>, name: string, count: number): void {
  sums.set(name, (sums.get(name) ?? 0) + count);
}
