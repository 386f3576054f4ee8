/** A call that never ends by itself. */
export function hang(signal: AbortSignal, onStart?: () => void): Promise<never> {
  onStart?.();
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
}
