import type { ChangeResult } from '@flotilla/client';
import type { Command } from 'commander';
import type { Context } from '../program.ts';
import { planLines } from '../text/moves.ts';

/** What commands say that change the cluster, or only tell what they would change. */

export function planOption(command: Command): void {
  command.option('--plan', 'change nothing; tell which shards would move');
}

export async function tellChange(context: Context, result: ChangeResult, onlyPlan: boolean): Promise<void> {
  const { output } = context;
  const { configNumber, changed, message, plan } = result;
  if (!onlyPlan) {
    if (output.json) await output.value(result);
    else await output.line(message === '' ? `ok, config ${configNumber}` : message);
    return;
  }
  if (output.json) {
    const { moves = [], count = 0, bytes = 0, seconds = 0 } = plan ?? {};
    await output.value({ configNumber, changed, message, moves, count, bytes, seconds });
    return;
  }
  for (const line of message.split('\n')) if (line !== '') await output.line(`plan: ${line}`);
  if (plan === undefined || plan.count === 0) await output.line('no shard would move');
  else for (const line of planLines(plan)) await output.line(line);
}
