import { TroveError } from '@trove/common';

/** Throws `NOT_IMPLEMENTED`, naming the first of these members that the request has with a value. */
export function refuseUnbuilt(body: object, members: readonly string[]): void {
  for (const member of members) {
    const value: unknown = Object.hasOwn(body, member) ? Reflect.get(body, member) : undefined;
    if (value === undefined || value === null) continue;
    throw new TroveError('NOT_IMPLEMENTED', `'${member}' is not supported by this deployment.`);
  }
}
