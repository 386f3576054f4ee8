/** Just before or after one call of one method. */
export interface Boundary {
  readonly method: string;
  readonly at: 'before' | 'after';
}

/**
 * The same object, whose calls each stop at a boundary before they begin and after they have succeeded: what `visit` throws
 * is what the caller gets, before the call in place of it, after it in place of its answer. `methods`: only these; default
 * all. Methods become asynchronous.
 */
export function withBoundaries<T extends object>(
  target: T,
  visit: (boundary: Boundary) => void | Promise<void>,
  methods?: readonly string[],
): T {
  return new Proxy(target, {
    get(object, name): unknown {
      const member: unknown = Reflect.get(object, name, object);
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      // Bound to the object itself: a method may use what is private to it.
      if (methods !== undefined && !methods.includes(name)) return member.bind(object);
      return async (...args: unknown[]): Promise<unknown> => {
        await visit({ method: name, at: 'before' });
        const answer: unknown = await Reflect.apply(member, object, args);
        await visit({ method: name, at: 'after' });
        return answer;
      };
    },
  });
}
