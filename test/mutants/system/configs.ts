import { changeOf } from '../named/mutant.ts';
import { type Row, sabotagesOf } from './sabotage.ts';
import { moving, movingLong } from './worlds.ts';

const cancels = changeOf('store/moves/cancels.ts');
const delta = changeOf('wire/config-delta.ts');
const dismantle = changeOf('controller/dismantle.ts');
const holder = changeOf('store/config-holder.ts');
const join = changeOf('controller/join.ts');
const keeper = changeOf('store/drivers/replica-keeper.ts');
const orders = changeOf('controller/move-orders.ts');
const settle = changeOf('controller/settle.ts');
const shelf = changeOf('host/shelf.ts');
const driver = changeOf('store/moves/move-driver.ts');

const rows: readonly Row[] = [
  [
    'cancel-that-withdraws-at-once',
    'the intent of a cancelled move stays until its source has answered',
    ['configs'],
    moving,
    orders(
      'return { ...record, pinned: false, intent: { ...intent, phase: MovePhase.cancelling, next: 0 } };',
      'return { ...record, pinned: false, intent: undefined };',
    ),
  ],
  [
    'cancelled-although-frozen',
    'a move that has frozen its source cannot be cancelled any more',
    ['configs'],
    movingLong,
    cancels(
      "answer === MoveAnswer.active) cancel.answer = 'tooLate';",
      "answer === MoveAnswer.active) cancel.answer = 'cancelled';",
    ),
  ],
  [
    'done-before-it-serves',
    'a move is reported as done when its target serves',
    ['configs'],
    moving,
    driver(
      'return shard?.state === ShardState.serving && shard.moveId === order.moveId;',
      'return shard !== undefined && shard.moveId === order.moveId;',
    ),
  ],
  [
    'owner-without-a-new-epoch',
    'the epoch of a shard rises with each change of its owner',
    ['configs'],
    moving,
    settle('owner: intent.target, epoch: record.epoch + 1,', 'owner: intent.target, epoch: record.epoch,'),
  ],
  [
    'dismantled-while-named',
    'a leaving group ends only when it owns nothing and no intent names it',
    ['configs'],
    movingLong,
    dismantle('    named.add(intent.target);\n', ''),
  ],
  [
    'config-left-out',
    'a change of the config is taken only by who has the config before it',
    ['configs'],
    moving,
    delta('  if (delta.from !== config.number) return undefined;\n', ''),
  ],
  [
    'older-config-taken',
    'a store takes no config that is older than its own',
    ['configs', 'liveness', 'no error', 'replica identity'],
    moving,
    holder(
      '    if (config.number <= this.#config.number) return;\n',
      '    if (config.number === this.#config.number) return;\n',
    ),
  ],
  [
    'incarnation-used-twice',
    'a group that is founded anew is another incarnation',
    ['liveness', 'configs', 'replica identity'],
    movingLong,
    join('incarnation: number, replicas', 'incarnation: group.gid, replicas'),
  ],
  [
    'raft-id-used-twice',
    'a replica that was removed is never made again',
    ['replica identity', 'liveness'],
    movingLong,
    join('incarnation: number, replicas', 'incarnation: group.gid, replicas'),
    shelf('if (known.some((each) => sameGroup(each, group))) {', 'if (known.length < 0) {'),
  ],
  [
    'wiped-store-keeps-its-raft-ids',
    'a store whose disk was replaced gets none of its old replicas back',
    ['replica identity'],
    { seconds: 6, thinkMs: 150, faults: ['blank-disk'] },
    keeper('own.storeIncarnation !== this.#options.incarnation', "own.storeIncarnation === ''"),
  ],
];

/** The map, and what stores make of it. */
export const configs = sabotagesOf(rows);
