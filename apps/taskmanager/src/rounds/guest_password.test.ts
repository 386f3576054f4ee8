import { newUuid, Secret, TroveError } from '@trove/common';
import type { InjectedFiles } from '@trove/compute';
import { brokerPassword, guestAccount, keyCheckValue } from '@trove/crypto-rpc';
import { expect, test } from 'vitest';
import { GUEST_AGENT_FILE, GUEST_INFO_FILE } from '../tasks/shared/guest_files.ts';
import { type PasswordDeps, type PasswordKeys, passwordOf } from './guest_password.ts';

const ID = newUuid();
const SERVER = { instanceId: ID, serverId: newUuid() };

/** As they stand on a server whose agent has this key and this password. */
const files = (version: number, key: string, password: string, user = guestAccount(ID)): InjectedFiles => ({
  [GUEST_INFO_FILE]: `[DEFAULT]\nguest_id=${ID}\ninstance_rpc_encr_key=${key}\n${version === 1 ? '' : `instance_rpc_key_version=${version}\n`}`,
  [GUEST_AGENT_FILE]: `[DEFAULT]\nsealed_transport_url=rabbit://${user}:${password}@h:5672/sealed\n`,
});

/** The catalog has version 3 as the key that counts and, agreed on and not proven, version 4. */
const live: Record<number, string> = { 3: 'key-three', 4: 'key-four' };
const keys = (bootstrap = false): PasswordKeys => ({
  activeVersion: async () => 3,
  checkValueOf: async (_, version) => (live[version] === undefined ? undefined : keyCheckValue(live[version])),
  isBootstrap: async () => bootstrap,
  textOf: async () => ({ text: new Secret('key-three'), version: 3 }),
});
const asked = async (shown: InjectedFiles, bootstrap = false): Promise<string | undefined> => {
  const deps: PasswordDeps = {
    catalog: { knex: undefined as never },
    compute: { injectedFiles: async () => shown },
    keys: keys(bootstrap),
  };
  return (await passwordOf(deps, SERVER))?.reveal();
};

test.each([
  ['the key that counts, whose password was injected with it', files(3, 'key-three', 'injected'), 'injected'],
  ['a key that is agreed on already', files(4, 'key-four', 'agreed'), 'agreed'],
  ['a key of before', files(1, 'key-one', 'injected'), brokerPassword('key-three').reveal()],
  ['another key of that version', files(3, 'key-of-a-clone', 'injected'), brokerPassword('key-three').reveal()],
  ['no key', {}, brokerPassword('key-three').reveal()],
  ['an account that is not its own', files(3, 'key-three', 'shared', 'trove'), undefined],
])('the password of a guest whose server shows %s', async (_, shown, password) => {
  expect(await asked(shown)).toBe(password);
});

test('nothing follows from a key that was injected, there is none without a server, and a silent host is waited for', async () => {
  expect(await asked(files(1, 'key-one', 'injected'), true)).toBeUndefined();
  const silent = async (): Promise<never> => {
    throw new TroveError('COMPUTE_ERROR', 'silent', { retryable: true });
  };
  const deps = { catalog: { knex: undefined as never }, compute: { injectedFiles: silent }, keys: keys() };
  expect(await passwordOf(deps, { ...SERVER, serverId: null })).toBeUndefined();
  await expect(passwordOf(deps, SERVER)).rejects.toMatchObject({ code: 'COMPUTE_ERROR' });
});
