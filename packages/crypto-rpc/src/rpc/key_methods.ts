import { guestApi } from '@trove/contracts';

const KEY_METHODS: readonly string[] = [guestApi.hello.name, guestApi.rotate_key.name];

/**
 * Whether the method is about the key itself: nothing else is asked under a key that was injected, and nothing of the kind
 * under one that is on its way out.
 */
export function isKeyMethod(name: string): boolean {
  return KEY_METHODS.includes(name);
}
