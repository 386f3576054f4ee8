// Stands in for the package in agents: what is done for a request is known to be done for it, and messages may go astray.
import { createGuestServer as createServer } from '@trove/crypto-rpc';
import { during } from './effects.ts';
import { faultyBus } from './faulty_bus.ts';
import { ownPart } from './own_part.ts';
import { readTroubles } from './run_folder.ts';

export * from '@trove/crypto-rpc';

type Options = Parameters<typeof createServer>[0];
type Handlers = Options['handlers'];
type AnyHandler = (args: unknown, caller: { readonly idempotencyKey: string | null }) => Promise<unknown>;

export function createGuestServer(options: Options): ReturnType<typeof createServer> {
  const { instanceId } = options;
  const handlers = Object.fromEntries(
    Object.entries(options.handlers as unknown as Record<string, AnyHandler>).map(([method, handler]) => {
      const counted: AnyHandler = (args, caller) => {
        const { idempotencyKey } = caller;
        if (idempotencyKey === null) return handler(args, caller);
        return during({ instanceId, method, idempotencyKey }, () => handler(args, caller));
      };
      return [method, counted];
    }),
  );
  const { folder, random } = ownPart();
  const bus = faultyBus(options.bus, () => readTroubles(folder).guestMessages, random(instanceId));
  return createServer({ ...options, bus, handlers: handlers as unknown as Handlers });
}
