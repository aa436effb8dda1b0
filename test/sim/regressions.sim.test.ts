import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { report, simulate } from '@flotilla/testkit';
import { caseOptions, caseText, readCase } from '@flotilla/testkit/internal';
import { describe, expect, test } from 'vitest';

// Runs that failed once, on sources that were wrong: what `npm run sim -- --shrink` has left of them. They must pass.

const folder = join(import.meta.dirname, 'regressions');
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

describe('what failed once passes', () => {
  test.each(files)('%s', (name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    const kept = readCase(text);
    expect(caseText(kept)).toBe(text);
    const options = caseOptions(kept);
    const command = `npm run sim -- --replay test/sim/regressions/${name}`;
    const result = simulate(options);
    if (result.failure !== undefined) throw new Error(report(options, result, command));
    expect(result.operations).toBeGreaterThan(0);
  });
});
