import { isIPv6 } from 'node:net';
import { UsageError } from '@flotilla/base';

/**
 * How people write durations and addresses, in flags, environment, files and commands. Every function
 * takes text and throws {@link UsageError} with what would have been right.
 */

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `500ms`, `5s`, `2m`, `1h` (decimals allowed) in milliseconds. A number without a unit is refused. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim());
  const ms = match === null ? Number.NaN : Number(match[1]) * (units[match[2] as string] as number);
  if (!Number.isSafeInteger(Math.ceil(ms))) {
    throw new UsageError(`"${text}" is not a duration: write a number and ms, s, m or h, like 500ms or 5s`, {
      text,
    });
  }
  return ms;
}

/** The shortest of the forms that {@link parseDuration} reads. */
export function durationText(ms: number): string {
  for (const unit of ['h', 'm', 's']) {
    const size = units[unit] as number;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

const sizes: Readonly<Record<string, number>> = {
  GiB: 2 ** 30,
  GB: 1e9,
  MiB: 2 ** 20,
  MB: 1e6,
  KiB: 2 ** 10,
  KB: 1e3,
  B: 1,
};

/** `16MB`, `64KiB`, `1.5GB`, `100B` in bytes. A number without a unit is refused. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]i?)?B$/i.exec(text.trim());
  const unit = Object.keys(sizes).find((name) => name.toLowerCase() === `${match?.[2] ?? ''}b`.toLowerCase());
  const bytes =
    match === null ? Number.NaN : Math.round(Number(match[1]) * (sizes[unit as string] as number));
  if (!Number.isSafeInteger(bytes)) {
    throw new UsageError(`"${text}" is not a size: write a number and B, KB, KiB, MB, MiB, GB or GiB`, {
      text,
    });
  }
  return bytes;
}

/** The shortest of the forms that {@link parseBytes} reads. */
export function sizeText(bytes: number): string {
  for (const [unit, size] of Object.entries(sizes)) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

export const DEFAULT_PORT = 7401;
export const DEFAULT_HOST = '127.0.0.1';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

function isHost(text: string): boolean {
  if (text.length < 1 || text.length > 253) return false;
  return /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?$/.test(text);
}

function badAddress(text: string, why: string): UsageError {
  return new UsageError(`"${text}" is not an address: ${why}. Write host:port, like 127.0.0.1:7401`, {
    text,
  });
}

function port(text: string, whole: string): number {
  const number = Number(text);
  if (/^\d{1,5}$/.test(text) && number <= 65_535) return number;
  throw badAddress(whole, `"${text}" is not a port (0 to 65535)`);
}

/** Forgiving: `7401`, `:7401`, `host`, `host:7401`, `[::1]:7401`, `::1`. */
export function parseAddress(text: string): HostPort {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return { host: DEFAULT_HOST, port: port(trimmed, text) };
  const bracketed = /^\[([0-9A-Fa-f:.%]+)\](?::(.*))?$/.exec(trimmed);
  if (bracketed !== null) {
    const digits = bracketed[2];
    return {
      host: bracketed[1] as string,
      port: digits === undefined ? DEFAULT_PORT : port(digits, text),
    };
  }
  const colons = trimmed.split(':').length - 1;
  if (colons > 1) {
    if (isIPv6(trimmed)) return { host: trimmed, port: DEFAULT_PORT };
    throw badAddress(text, 'it has more than one colon');
  }
  const [host = '', digits] = trimmed.split(':');
  if (host === '' && digits !== undefined) return { host: DEFAULT_HOST, port: port(digits, text) };
  if (!isHost(host)) throw badAddress(text, host === '' ? 'it is empty' : `"${host}" is not a host name`);
  return { host, port: digits === undefined ? DEFAULT_PORT : port(digits, text) };
}

export function addressText({ host, port: number }: HostPort): string {
  return host.includes(':') ? `[${host}]:${number}` : `${host}:${number}`;
}

/** A list of addresses, parted by commas, with or without `flotilla://` before it; each one written out. */
export function parseAddresses(text: string): string[] {
  const list = text.trim().replace(/^flotilla:\/\//, '');
  const parts = list.replace(/\/$/, '').split(',');
  return parts.map((part) => addressText(parseAddress(part)));
}

/** True when only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** True for `0.0.0.0` and `::`: good for listening, useless for dialling. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '0:0:0:0:0:0:0:0';
}

/** Number of single-character edits (insert, delete, replace, swap of neighbours) between two words. */
export function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(
        (last[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (last[column - 1] as number) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && left[row - 1] === right[column - 2];
      if (swapped && left[row - 2] === right[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] as number) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[right.length] as number;
}

/** The candidate that was most likely meant, or undefined if none is close. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
