import { utf8Encode, Xxh64 } from '@flotilla/base';
import { CheckFailure } from '@flotilla/testkit';
import { test } from 'vitest';
import { Lab, type LabOptions } from './lab.ts';
import type { NetworkKind } from './weather.ts';

/** Shifts all seeds, so that a nightly run need not repeat what every run has seen. */
const SHIFT = Number(process.env.FLOTILLA_SEED ?? 0);
const STORY_EVENTS = 30;

export interface ScenarioOptions extends LabOptions {
  /** One test on each; by default on a reliable one alone. */
  readonly networks?: readonly NetworkKind[];
}

/** One situation, checked to the end. Its seed comes from its title, so that no test depends on another one. */
export function scenario(
  title: string,
  options: ScenarioOptions,
  body: (lab: Lab, network: NetworkKind) => void,
): void {
  for (const network of options.networks ?? ['reliable']) {
    const full = network === 'reliable' ? title : `${title} (${network} network)`;
    test(full, () => {
      play(full, options, network, body);
    });
  }
}

/** Returns the hash of all events: the same for the same title. */
export function play(
  title: string,
  options: LabOptions,
  network: NetworkKind,
  body: (lab: Lab, network: NetworkKind) => void,
): string {
  const seed = (new Xxh64().hash(utf8Encode(title)) % 1_000_000) + SHIFT;
  let lab: Lab | undefined;
  try {
    lab = new Lab(seed, options);
    lab.spoil(network);
    body(lab, network);
    lab.finish();
    return lab.cluster.world.events.hash;
  } catch (error) {
    const story = lab?.cluster.world.events.story(STORY_EVENTS).map((event) => `  ${event}`) ?? [];
    const what = error instanceof CheckFailure ? error.report() : String(error);
    const replay = `FLOTILLA_SEED=${SHIFT} npm test -- test/scenarios/sharding -t "${title}"`;
    const text = [what, '', 'last events:', ...story, '', `seed ${seed}; replay: ${replay}`].join('\n');
    throw new Error(text, { cause: error });
  }
}
