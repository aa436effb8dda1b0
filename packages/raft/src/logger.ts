export type RaftLogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * Receives what the core has to say. The text is built only if somebody calls it, and without a logger not
 * even the function that builds it is made (`logger?.log(...)`), so that silence costs nothing.
 */
export interface RaftLogger {
  log(level: RaftLogLevel, text: () => string): void;
}
