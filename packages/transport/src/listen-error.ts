import { type ErrorDetails, FlotillaError } from '@flotilla/base';

/** A port could not be opened. `details.cause` is the code of the operating system, such as EADDRINUSE. */
export class ListenError extends FlotillaError {
  override readonly code = 'FLOTILLA_LISTEN';
  override readonly retry = 'never';
}

const advice: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process uses the port: stop it, or choose another port with --listen',
  EACCES: 'this user may not open that port: choose one above 1023, or give the process the right to do so',
  EADDRNOTAVAIL: 'this machine has no such address: listen on one of its own, on 127.0.0.1 or on 0.0.0.0',
  ENOTFOUND: 'the name does not resolve: check it, or give an address in numbers',
};

export function listenError(address: string, cause: NodeJS.ErrnoException): ListenError {
  const code = cause.code ?? 'unknown';
  const why = advice[code] ?? `${cause.message} (${code}): check the address given with --listen`;
  const details: ErrorDetails = { address, cause: code };
  return new ListenError(`cannot listen on ${address}: ${why}`, details, { cause });
}
