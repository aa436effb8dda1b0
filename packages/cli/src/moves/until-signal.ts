const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs work that a person may end with Ctrl-C at any time; the first one asks, a second one kills as usual. */
export async function untilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of signals) process.once(signal, onSignal);
  try {
    return await work(stop.signal);
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}
