import { CommandFailure } from '../failure.ts';

/** Arguments that several commands take, and how each mistake in them is told. */

const GID_MAX = 0xffff_fffe;
const REPLICAS_MAX = 7;

export function gidOf(text: string, lowest = 1): number {
  const gid = Number(text);
  if (/^\d{1,10}$/.test(text) && gid >= lowest && gid <= GID_MAX) return gid;
  const why =
    text === '0'
      ? '0 is the controller group, which the cluster keeps by itself'
      : 'it is no number in range';
  throw new CommandFailure(`"${text}" is not the id of a data group: ${why}. Use 1 to ${GID_MAX}.`);
}

export function numberOf(text: string, what: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new CommandFailure(`"${text}" is not ${what}: write a whole number`);
}

export function storeIdOf(text: string, place: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return text;
  throw new CommandFailure(
    `${place}: "${text}" is not a store id: use 1 to 64 of a-z A-Z 0-9 . _ - and part ids by commas, like s1,s2,s3`,
  );
}

function storesOf(text: string, place: string): string[] {
  const ids = text.split(',').map((id) => storeIdOf(id.trim(), place));
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined)
    throw new CommandFailure(`${place} names ${twice} twice: each store holds one replica`);
  if (ids.length > REPLICAS_MAX) {
    throw new CommandFailure(`${ids.length} replicas are too many: a group has 1 to ${REPLICAS_MAX}`);
  }
  return ids;
}

/** `3` with its stores beside it, or any number of `3=s1,s2,s3`. */
export function groupsOf(args: readonly string[], stores: string | undefined): Record<number, string[]> {
  const groups: Record<number, string[]> = {};
  for (const arg of args) {
    const at = arg.indexOf('=');
    const gid = gidOf(at === -1 ? arg : arg.slice(0, at));
    if (groups[gid] !== undefined) throw new CommandFailure(`group ${gid} is named twice`);
    if (at !== -1 && stores !== undefined) {
      throw new CommandFailure(`--stores and ${arg} exclude each other: name the stores of a group once`);
    }
    if (at === -1 && stores === undefined) {
      throw new CommandFailure(
        `group ${gid} has no stores: add --stores s1,s2,s3, or write ${gid}=s1,s2,s3 for each group`,
      );
    }
    groups[gid] = at === -1 ? storesOf(stores as string, '--stores') : storesOf(arg.slice(at + 1), arg);
  }
  if (args.length > 1 && stores !== undefined) {
    throw new CommandFailure('--stores is for one group: write 3=s1,s2,s3 4=s4,s5,s6 for several');
  }
  return groups;
}

/** `17` for all open moves of config 17, `17/4` for the one of them that moves shard 4. */
export function moveOf(text: string): number | { readonly moveId: number; readonly shard: number } {
  const match = /^(\d{1,15})(?:\/(\d{1,4}))?$/.exec(text);
  if (match === null) {
    throw new CommandFailure(
      `"${text}" is not a move: use 17 for all moves of config 17, or 17/4 for the one of shard 4; flotilla moves lists them`,
    );
  }
  const moveId = Number(match[1]);
  return match[2] === undefined ? moveId : { moveId, shard: Number(match[2]) };
}
