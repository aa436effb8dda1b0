import { UsageError } from '@flotilla/base';

export interface HostPort {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

/** Parts of `host:port` or `[ipv6]:port`; throws `UsageError` that says what an address looks like. */
export function parseAddress(address: string): HostPort {
  const parts = /^(?:\[([0-9a-fA-F:.%]+)\]|([^\s:/?#@[\]]+)):([0-9]{1,5})$/.exec(address);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port > 65_535) {
    throw new UsageError(`"${address}" is not an address: write host:port, for example 127.0.0.1:7401`, {
      address,
    });
  }
  return { host, port };
}

export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
