import { TroveError } from '@trove/common';
import { isErrorCode } from '../v2/payload.ts';
import { isJsonObject } from '../v2/strict_json.ts';
import { pythonJson } from './python_json.ts';

const REFUSED = 'The guest agent refused the request.';

/**
 * Our own failure for a legacy caller: one that Trove can raise again, with our code among its arguments and the public
 * message; no traceback.
 */
export function writeFailure(error: TroveError): string {
  return pythonJson({
    class: 'GuestError',
    module: 'trove.common.exception',
    message: error.message,
    tb: [],
    args: [],
    kwargs: { original_message: error.message, code: error.code, retryable: error.retryable },
  });
}

/**
 * A failure that came in clear from a peer that speaks in clear. With a code of ours it is that error; else `GUEST_ERROR`
 * with the peer's message behind Trove's sentence.
 */
export function readFailure(failure: string): TroveError {
  const members = parse(failure);
  const message = typeof members['message'] === 'string' ? members['message'].slice(0, 1000) : 'unknown';
  const kwargs = isJsonObject(members['kwargs']) ? members['kwargs'] : {};
  const { code, retryable } = kwargs;
  if (typeof code === 'string' && isErrorCode(code))
    return new TroveError(code, message, { retryable: retryable === true });
  return new TroveError('GUEST_ERROR', `An error occurred communicating with the guest: ${message}.`);
}

/** A v1 peer's failure is never encrypted, so anyone may have written it: that it refused is all it says. */
export function refusedInClear(): TroveError {
  return new TroveError('GUEST_ERROR', REFUSED);
}

function parse(failure: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(failure);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}
