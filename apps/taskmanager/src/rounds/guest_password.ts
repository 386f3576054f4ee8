import type { Catalog, CountedAccount } from '@trove/catalog';
import type { Secret } from '@trove/common';
import type { ComputeDriver, InjectedFiles } from '@trove/compute';
import { brokerPassword, keyCheckValue } from '@trove/crypto-rpc';
import type { GuestKeys } from '../guests/guest_keys.ts';
import { accountInFiles } from '../tasks/shared/guest_accounts.ts';
import { keyInFiles } from '../tasks/shared/guest_files.ts';

export type PasswordKeys = Pick<GuestKeys, 'activeVersion' | 'checkValueOf' | 'isBootstrap' | 'textOf'>;

export interface PasswordDeps {
  readonly catalog: Pick<Catalog, 'knex'>;
  readonly compute: Pick<ComputeDriver, 'injectedFiles'>;
  readonly keys: PasswordKeys;
}

/**
 * The password that a guest tries: the one beside its key in its server's file, which was injected with it or goes with one
 * that was agreed on. Where that key is none of the instance's any more, the file is older than the catalog, as in a server that
 * was put back from a copy: then it is the one that goes with the key that counts. Undefined where nobody knows one.
 */
export async function passwordOf(
  { catalog, compute, keys }: PasswordDeps,
  { instanceId, serverId }: Pick<CountedAccount, 'instanceId' | 'serverId'>,
): Promise<Secret | undefined> {
  if (serverId === null) return undefined;
  const files = await compute.injectedFiles(serverId);
  if (await hasLiveKey(keys, files, instanceId)) return accountInFiles(files, instanceId)?.password;
  const version = await keys.activeVersion(catalog.knex, instanceId);
  if (version === null || (await keys.isBootstrap(instanceId, version))) return undefined;
  return brokerPassword((await keys.textOf(instanceId, version)).text.reveal());
}

async function hasLiveKey(keys: PasswordKeys, files: InjectedFiles, instanceId: string): Promise<boolean> {
  const key = keyInFiles(files);
  return key !== undefined && (await keys.checkValueOf(instanceId, key.version)) === keyCheckValue(key.text.reveal());
}
