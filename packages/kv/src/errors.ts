import { FlotillaError } from '@flotilla/base';

/**
 * An entry or stored state in a format that this version does not know. The replica must stop here: to skip
 * it would be to differ from the replicas that understand it.
 */
export class NewerFormatError extends FlotillaError {
  override readonly code = 'FLOTILLA_NEWER_FORMAT';
  override readonly retry = 'never';
}
