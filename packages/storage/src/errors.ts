import { FlotillaError } from '@flotilla/base';

export type DataDirectoryProblem =
  | 'in-use'
  | 'network-file-system'
  | 'identity-missing'
  | 'identity-damaged'
  | 'sentinel-missing'
  | 'sentinel-damaged'
  | 'other-store'
  | 'other-cluster'
  | 'other-incarnation'
  | 'newer-format'
  | 'unreadable';

/** A data directory that must not be used as it is. Nothing in it was changed. */
export class DataDirectoryError extends FlotillaError {
  override readonly code = 'FLOTILLA_DATA_DIRECTORY';
  override readonly retry = 'never';
  readonly problem: DataDirectoryProblem;

  constructor(
    problem: DataDirectoryProblem,
    message: string,
    details: Readonly<Record<string, unknown>>,
    options?: ErrorOptions,
  ) {
    super(message, { problem, ...details }, options);
    this.problem = problem;
  }
}
