import { TroveError } from '../errors.ts';
import type { Secret } from '../secret.ts';

/** The defaults that Trove's source publishes for the control plane's key and for the key that instances' keys rest under. */
const PUBLISHED_KEYS: ReadonlySet<string> = new Set([
  'bzH6y0SGmjuoY0FNSTptrhgieGXNDX6PIhvz',
  'emYjgHFqfXNB1NGehAFIUeoyw4V4XwWHEaKP',
]);

export interface KeySettings {
  taskmanager_rpc_encr_key?: readonly Secret[];
  inst_rpc_key_encr_key?: readonly Secret[];
  inst_rpc_uplink_encr_key?: readonly Secret[];
  allow_published_keys: boolean;
}

/**
 * Refuses keys that everyone knows: throws `TroveError` `CONFIG_INVALID` naming the setting. With `allow_published_keys`
 * the key-encryption keys may hold a published one as a later entry, or as the only one while a deployment is being adopted;
 * those settings' names come back, to be warned of at each start. The control plane's key never may.
 */
export function checkPublishedKeys(settings: KeySettings): string[] {
  if (settings.taskmanager_rpc_encr_key?.some(isPublished)) {
    throw refusal('taskmanager_rpc_encr_key', 'is a default that Trove published; make a key of your own');
  }
  const warned: string[] = [];
  for (const name of ['inst_rpc_key_encr_key', 'inst_rpc_uplink_encr_key'] as const) {
    const ring = settings[name] ?? [];
    if (!ring.some(isPublished)) continue;
    if (!settings.allow_published_keys) {
      throw refusal(
        name,
        'is a default that Trove published; make a key of your own, or set allow_published_keys while you adopt',
      );
    }
    const [first] = ring;
    if (ring.length > 1 && first && isPublished(first)) {
      throw refusal(name, 'seals under a default that Trove published; put a key of your own first');
    }
    warned.push(name);
  }
  return warned;
}

function isPublished(key: Secret): boolean {
  return PUBLISHED_KEYS.has(key.reveal());
}

function refusal(name: string, why: string): TroveError {
  return new TroveError('CONFIG_INVALID', `[DEFAULT] ${name} ${why}`);
}
