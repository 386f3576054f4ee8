/** A guest that is there, and has little to do, answers within this time. */
const AT_ONCE_MS = 50;

/** What `promise` resolves to where that is a matter of a moment, or its rejection; undefined where it takes longer. */
export async function atHand<T>(promise: Promise<T>): Promise<{ readonly value: T } | undefined> {
  const pause = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => pause.resolve(undefined), AT_ONCE_MS);
  try {
    return await Promise.race([promise.then((value) => ({ value })), pause.promise]);
  } finally {
    clearTimeout(timer);
  }
}
