import { Writer } from '@flotilla/base';
import type { ControllerGroup } from '@flotilla/controller';
import { type AdminParams, type AdminReply, type ConfigSummary, writeConfig } from '@flotilla/wire';
import { failure, success } from './replies.ts';

/** One config, whole. */
export function configReply(machine: ControllerGroup, { number }: AdminParams['config']): AdminReply {
  const config = number === undefined ? machine.config : machine.configAt(number);
  if (config === undefined) {
    const newest = machine.config.number;
    return failure('no-such-config', `there is no config ${number}: they are numbered 1 to ${newest}`);
  }
  const out = new Writer(4096);
  writeConfig(out, config);
  return success({ config: out.take() });
}

/** What made each of some configs. */
export function configsReply(machine: ControllerGroup, { from, limit }: AdminParams['configs']): AdminReply {
  const configs: ConfigSummary[] = [];
  let at = Math.max(1, from);
  for (; at <= machine.config.number && configs.length < limit; at++) {
    const summary = machine.summaryAt(at);
    if (summary !== undefined) configs.push(summary);
  }
  return success({ configs, more: at <= machine.config.number });
}
