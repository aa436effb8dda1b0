import { groupNameText, sameGroup, Writer } from '@flotilla/base';
import type { Hasher } from '@flotilla/ports';
import { type ClusterConfig, type ShardRecord, writeConfig } from '@flotilla/wire';
import { CheckFailure } from '../failure.ts';
import type { MoveChecker } from './move-checker.ts';
import { factsWords, type ShardFacts } from './shard-facts.ts';

/**
 * The history of configs: one per number, the same for everybody who has it, and each in step with the logs of
 * the groups. The config follows what the groups decided, never the other way round:
 *
 * - an owner changes only to the target of the open intent, which serves at the next epoch by then;
 * - an intent goes away only when its source has closed it;
 * - with no intent open the owner serves at the epoch of the config;
 * - a group goes only when it holds no content and nothing names it.
 */
export class ConfigChecker {
  readonly #moves: MoveChecker;
  readonly #hasher: Hasher;
  /** Digest of each config by number. */
  readonly #known = new Map<number, string>();
  #newest: ClusterConfig | undefined;
  /** Hears of every config once, with the one before. */
  onConfig: (config: ClusterConfig, before: ClusterConfig | undefined) => void = () => {};

  constructor(moves: MoveChecker, hasher: Hasher) {
    this.#moves = moves;
    this.#hasher = hasher;
  }

  get newest(): ClusterConfig | undefined {
    return this.#newest;
  }

  /** The controller group, furthest replica, has this config now. */
  decided(config: ClusterConfig): void {
    const before = this.#newest;
    if (config.number === (before?.number ?? 0)) return;
    if (config.number !== (before?.number ?? 0) + 1) {
      this.#fail(config, `it follows config ${before?.number ?? 0}`);
    }
    this.#known.set(config.number, this.#digest(config));
    this.#newest = config;
    for (const [shard, record] of config.shards.entries()) {
      this.#shard(config, shard, before?.shards[shard], record);
    }
    this.#groups(config, before);
    this.onConfig(config, before);
  }

  /** Somebody holds this config. */
  held(by: string, config: ClusterConfig): void {
    if (config.number === 0) return;
    const known = this.#known.get(config.number);
    if (known === undefined) this.#fail(config, `${by} has it, and the controller group does not`);
    if (known !== this.#digest(config)) this.#fail(config, `${by} has another one of that number`);
  }

  #shard(config: ClusterConfig, shard: number, before: ShardRecord | undefined, now: ShardRecord): void {
    const fail = (what: string): never => this.#fail(config, `shard ${shard}: ${what}`);
    const { owner, epoch, intent } = now;
    const [ownerBefore, epochBefore] = [before?.owner ?? 0, before?.epoch ?? 0];
    const flips = owner !== ownerBefore;
    if (epoch !== epochBefore + (flips ? 1 : 0)) {
      fail(`epoch ${epochBefore} becomes ${epoch}, owner ${ownerBefore} becomes ${owner}`);
    }
    if (flips && owner !== before?.intent?.target) {
      fail(`group ${owner} owns it, and the open intent was for group ${before?.intent?.target ?? 'none'}`);
    }
    const isNew = intent !== undefined && intent.moveId !== before?.intent?.moveId;
    if (isNew && intent.moveId !== config.number) fail(`a new intent has the number ${intent.moveId}`);
    if (isNew && intent.target === owner) fail('an intent leads to the owner');
    if (intent !== undefined && !config.groups.some((group) => group.gid === intent.target)) {
      fail(`an intent leads to group ${intent.target}, which does not exist`);
    }
    if (before?.intent !== undefined && before.intent.moveId !== intent?.moveId && !flips) {
      this.#withdrawn(config, shard, before, before.intent.moveId);
    }
    // Nobody may be on the way, so it is all as the config says.
    const mustServe = owner !== 0 && (flips || (intent === undefined && before?.intent !== undefined));
    if (!mustServe) return;
    const holder = this.#moves.holder(shard);
    const isOwner = config.groups.some(
      (group) => group.gid === owner && holder && sameGroup(group, holder.group),
    );
    if (!isOwner || holder?.facts.state !== 'serving' || holder.facts.epoch !== epoch) {
      const facts =
        holder === undefined
          ? 'nobody has it'
          : `group ${groupNameText(holder.group)}: ${factsWords(holder.facts)}`;
      fail(`group ${owner} owns it at epoch ${epoch}, and ${facts}`);
    }
  }

  /** A move ended without a new owner: whoever decides has closed it for good. */
  #withdrawn(config: ClusterConfig, shard: number, before: ShardRecord, moveId: number): void {
    const decides = before.owner === 0 ? before.intent?.target : before.owner;
    const facts = this.#factsIn(config, decides ?? 0, shard);
    if (facts !== undefined && facts.fence >= moveId) return;
    const state = facts === undefined ? 'does not exist' : `is ${factsWords(facts)}`;
    this.#fail(config, `shard ${shard}: move ${moveId} is withdrawn while group ${decides} ${state}`);
  }

  #factsIn(config: ClusterConfig, gid: number, shard: number): ShardFacts | undefined {
    const group = config.groups.find((each) => each.gid === gid);
    return group && this.#moves.facts(group, shard);
  }

  #groups(config: ClusterConfig, before: ClusterConfig | undefined): void {
    for (const group of before?.groups ?? []) {
      if (config.groups.some((each) => sameGroup(each, group))) continue;
      const name = groupNameText(group);
      config.shards.forEach((record, shard) => {
        if (record.owner === group.gid || record.intent?.target === group.gid) {
          this.#fail(config, `group ${name} is gone, and shard ${shard} names it`);
        }
        const holder = this.#moves.holder(shard);
        if (holder !== undefined && sameGroup(holder.group, group)) {
          this.#fail(config, `group ${name} is gone with the only copy of shard ${shard}`);
        }
      });
    }
  }

  #digest(config: ClusterConfig): string {
    const out = new Writer(4096);
    writeConfig(out, config);
    this.#hasher.hash(out.bytes.subarray(0, out.length));
    return `${this.#hasher.high} ${this.#hasher.low}`;
  }

  #fail(config: ClusterConfig, message: string): never {
    throw new CheckFailure('configs', `config ${config.number} (${config.cause}): ${message}`);
  }
}
