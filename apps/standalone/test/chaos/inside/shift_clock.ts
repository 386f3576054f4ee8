/** From here on this process believes that it is so much later than it is; its monotonic clock stays right. */
export function shiftClock(ms: number): void {
  if (ms === 0) return;
  const now = Date.now;
  const later = (): number => now() + ms;
  globalThis.Date = new Proxy(Date, {
    construct: (target, args: [] | [number]) => new target(...(args.length === 0 ? ([later()] as const) : args)),
    get: (target, name): unknown => (name === 'now' ? later : Reflect.get(target, name)),
  });
}
