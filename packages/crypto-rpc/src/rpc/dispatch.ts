import { type Logger, TroveError, toTroveError } from '@trove/common';
import type { RpcMethod } from '@trove/contracts';
import type { Caller } from './types.ts';
import { fits } from './validation.ts';

/** Any table of handlers; their arguments were checked against the method's schema. */
export type HandlerTable = Readonly<Record<string, (args: never, caller: Caller) => Promise<unknown>>>;

/** The handler's outcome as data. A refusal of the handler's own is logged as one, what failed with its cause; both go out as code and public message. */
export async function dispatch(
  handlers: HandlerTable,
  method: RpcMethod,
  args: unknown,
  caller: Caller,
  logger: Logger,
): Promise<{ readonly result: unknown } | { readonly error: TroveError }> {
  try {
    const handler = handlers[method.name];
    if (handler === undefined) throw new TroveError('NOT_IMPLEMENTED', 'This method is not offered here.');
    const result = await handler(args as never, caller);
    if (!fits(method.result, result)) throw new Error('the result does not fit its schema');
    return { result };
  } catch (error) {
    const known = toTroveError(error);
    if (known === error && known.cause === undefined)
      logger.info('request refused', { method: method.name, code: known.code, reason: known.message });
    else logger.warn('request failed', { method: method.name, code: known.code, error });
    return { error: known };
  }
}
