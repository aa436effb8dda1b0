import { loadWith } from '../model/patches.ts';
import { sabotages } from './sabotages.ts';

/** `npm run sim` on sources of which one rule was left out: the sabotage is named in front of the other arguments. */
const [name = ''] = process.argv.splice(2, 1);
const sabotage = sabotages[name];
if (sabotage === undefined) throw new Error(`there is no sabotage "${name}"`);
loadWith(sabotage.patches);
await import('../sim-main.ts');
