import { Prng, type VirtualTime, Xxh64 } from '@flotilla/base';
import type { LogFields, LogLevel, LogSink, Meter } from '@flotilla/ports';
import { MemoryNetworkHub } from '@flotilla/transport';
import { ConsensusChecker } from '../checkers/consensus.ts';
import { ContentLedger } from '../checkers/content-ledger.ts';
import { CheckFailure } from '../checkers/failure.ts';
import { ConfigChecker } from '../checkers/moves/config-checker.ts';
import { MoveChecker } from '../checkers/moves/move-checker.ts';
import { MoveTally } from '../checkers/moves/move-tally.ts';
import { EventKind, EventLog } from './event-log.ts';
import { MemoryMeter } from './memory-observers.ts';
import type { FrameFaults } from './observed-links.ts';
import { RareDice } from './rare-dice.ts';
import { type LinkQuality, quietLinks, SimLinks } from './sim-links.ts';
import { WatchedTime } from './watched-time.ts';

/** Everything that the stores and clients of one simulation share. One seed, one course of events. */
export class SimWorld {
  readonly seed: number;
  readonly random: Prng;
  readonly time: VirtualTime = new WatchedTime();
  readonly events: EventLog;
  readonly links: SimLinks;
  readonly hub: MemoryNetworkHub;
  readonly checker: ConsensusChecker;
  readonly contents: ContentLedger = new ContentLedger();
  readonly moves: MoveChecker = new MoveChecker();
  readonly configs: ConfigChecker = new ConfigChecker(this.moves, new Xxh64());
  readonly tally: MoveTally = new MoveTally();
  readonly hasher: Xxh64 = new Xxh64();
  readonly frames: FrameFaults = { loss: 0, doubles: 0, late: 0 };
  readonly moveFrames: FrameFaults = { loss: 0, doubles: 0, late: 0 };
  /** Stores that no config reaches, by the name of the fault. */
  readonly deaf: Map<string, string> = new Map();
  /** What links are like in this world when no fault is active. */
  readonly quality: LinkQuality;
  readonly meter: Meter = new MemoryMeter();
  readonly rare: RareDice;
  /** How often each event was logged, by any node. */
  readonly logged: Map<string, number> = new Map();

  constructor(seed: number) {
    this.seed = seed;
    this.random = new Prng(seed);
    this.rare = new RareDice(this.random.fork('rare'));
    this.events = new EventLog(() => this.time.monoMs());
    const character = this.random.fork('links');
    const delayMs = [0.05, 0.2, 0.5, 2][character.below(4)] as number;
    this.quality = { ...quietLinks, delayMs, jitterMs: delayMs * (0.2 + 2 * character.unit()) };
    this.links = new SimLinks(this.random.fork('messages'), this.quality, () => this.time.monoMs());
    this.hub = new MemoryNetworkHub({ timers: this.time, policy: this.links });
    this.checker = new ConsensusChecker(new Xxh64());
    this.moves.onStep = (step, before) => this.tally.stepped(step, before);
    this.configs.onConfig = (config, before) => {
      this.tally.changed(config, before);
      this.events.tell(() => `config ${config.number}: ${config.cause}`);
    };
  }

  /** Lets time pass until the condition holds; false if that took longer. Looked at every few milliseconds. */
  waitFor(condition: () => boolean, atMostMs: number, everyMs = 5): boolean {
    const until = this.time.monoMs() + atMostMs;
    while (!condition()) {
      if (this.time.monoMs() >= until) return false;
      this.time.advance(Math.min(everyMs, until - this.time.monoMs()));
    }
    return true;
  }

  /** Counts as an event of the world, and belongs into its story. */
  log(node: string): LogSink {
    return {
      log: (level: LogLevel, event: string, fields: LogFields): void => {
        if (level === 'debug') return;
        this.events.mixText(EventKind.log, event);
        this.logged.set(event, (this.logged.get(event) ?? 0) + 1);
        this.events.tell(() => `${node} ${event} ${fieldWords(fields)}`);
        if (level !== 'error') return;
        const checker = event === 'move-digest-mismatch' ? 'digest' : 'no error';
        throw new CheckFailure(checker, `${node} logged ${event} ${fieldWords(fields)}`);
      },
    };
  }
}

function fieldWords(fields: LogFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ');
}
