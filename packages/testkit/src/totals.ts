import type { SeedRun } from './sim-seeds.ts';

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

/** What many seeds came to together. */
export class Totals {
  failed = 0;
  #seeds = 0;
  #virtualMs = 0;
  #digests = 0;
  readonly #sums = new Map<string, number>();

  add({ passed, result, checker }: SeedRun): void {
    this.#seeds++;
    if (!passed) this.failed++;
    if (checker === 'digest') this.#digests++;
    this.#virtualMs += result.virtualMs;
    for (const name of names) this.#add(name, result[name]);
    for (const [name, count] of Object.entries(result.moves)) this.#add(name, count);
  }

  words(realMs: number): string {
    const of = (name: string): number => this.#sums.get(name) ?? 0;
    const passed = this.failed === 0 ? 'passed' : `, ${this.failed} of them failed`;
    return [
      `${this.#seeds} seeds ${passed}: ${of('operations')} operations, ${of('elections')} elections, ` +
        `${of('snapshots')} snapshots, ${of('crashes')} crashes, ${of('powerCuts')} power cuts`,
      `moves: ${of('begun')} begun, ${of('done')} done, ${of('cancelled')} cancelled, ${of('hit')} with faults in them, ` +
        `${of('restarted')} copies begun anew, ${this.#digests} digests that differ`,
      `faults: ${of('faults')}, and ${of('strikes')} right after a step of a move; ${of('echoes')} writes were heard twice`,
      `${Math.round(this.#virtualMs / 1000)} s in ${(realMs / 1000).toFixed(1)} s ` +
        `(${Math.round(this.#virtualMs / realMs)} x)`,
    ].join('\n');
  }

  #add(name: string, count: number): void {
    this.#sums.set(name, (this.#sums.get(name) ?? 0) + count);
  }
}
