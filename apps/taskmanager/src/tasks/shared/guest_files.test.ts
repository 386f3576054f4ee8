import { Secret } from '@trove/common';
import { expect, test } from 'vitest';
import { BROKER_AUTHORITY_FILE, filesWithKey, GUEST_AGENT_FILE, GUEST_INFO_FILE, guestFiles } from './guest_files.ts';

const identity = {
  instanceId: '7a3f0a0e-0000-4000-8000-000000000001',
  projectId: '56cca8484d3e48869126ada4f355c284',
  datastoreManager: 'mysql',
  datastoreVersion: '10.11.19',
};
const agent = {
  transportUrl: new Secret('rabbit://u:p$w@broker:5672/'),
  sealedTransportUrl: new Secret('rabbit://u:p@broker:5672/sealed'),
  controlExchange: 'trove',
  conductorQueue: 'trove-conductor',
  reportIntervalSeconds: 2,
};

test('a guest without a key is told the clear bus and no key', () => {
  const files = guestFiles(identity, agent);
  expect(files[GUEST_INFO_FILE]).toContain('guest_id=7a3f0a0e-0000-4000-8000-000000000001\n');
  expect(files[GUEST_INFO_FILE]).not.toContain('encr_key');
  expect(files[GUEST_AGENT_FILE]).toContain('transport_url=rabbit://u:p$$w@broker:5672/\n');
  expect(files[GUEST_AGENT_FILE]).not.toContain('sealed_transport_url');
});

test('a guest of a broker with TLS is given the authority, of any size, and where it lies', () => {
  const brokerAuthority = `${'-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n'.repeat(5000)}`;
  const files = guestFiles(identity, { ...agent, brokerAuthority });
  expect(files[BROKER_AUTHORITY_FILE]).toBe(brokerAuthority);
  expect(files[GUEST_AGENT_FILE]).toMatch(/\n\[oslo_messaging_rabbit\]\nssl_ca_file=broker-ca\.pem\n$/);
  expect(guestFiles(identity, agent)[GUEST_AGENT_FILE]).not.toContain('ssl');
});

test('a guest with a key is told the sealed bus only, and the version of a key that is not its first', () => {
  const first = guestFiles({ ...identity, key: { text: new Secret('K'.repeat(32)), version: 1 } }, agent);
  expect(first[GUEST_INFO_FILE]).toContain(`instance_rpc_encr_key=${'K'.repeat(32)}\n`);
  expect(first[GUEST_INFO_FILE]).not.toContain('instance_rpc_key_version');
  expect(first[GUEST_AGENT_FILE]).toContain('sealed_transport_url=rabbit://u:p@broker:5672/sealed\n');
  expect(first[GUEST_AGENT_FILE]).not.toMatch(/^transport_url/m);
  const second = guestFiles({ ...identity, key: { text: new Secret('K'.repeat(32)), version: 2 } }, agent);
  expect(second[GUEST_INFO_FILE]).toContain('instance_rpc_key_version=2\n');
});

test('a key that is to be replaced is told until when it is good', () => {
  const key = { text: new Secret('K'.repeat(32)), version: 1, bootstrapUntil: 1_700_000_000_000 };
  expect(guestFiles({ ...identity, key }, agent)[GUEST_INFO_FILE]).toContain(
    'instance_rpc_bootstrap_until=1700000000000\n',
  );
});

test('old files that are put back have the key and the password of now, whatever the guest had made of them', () => {
  const account = { user: 'guest-7a3f', password: new Secret('first') };
  const first = { text: new Secret('K'.repeat(32)), version: 1, bootstrapUntil: 1_700_000_000_000 };
  const files = guestFiles({ ...identity, key: first, account }, { ...agent, brokerAuthority: 'CA' });
  const meanwhile = {
    ...files,
    [GUEST_INFO_FILE]: `${files[GUEST_INFO_FILE]}instance_rpc_pending_key=${'P'.repeat(32)}\ninstance_rpc_pending_version=2\n`,
    [GUEST_AGENT_FILE]: (files[GUEST_AGENT_FILE] ?? '').replace('report', 'sealed_transport_passwords=x,y\nreport'),
  };
  const now = { text: new Secret('N'.repeat(32)), version: 3 };
  const changed = { ...account, password: new Secret('third') };
  expect(JSON.stringify(filesWithKey(meanwhile, undefined, changed))).not.toMatch(/KKK|PPP|first|x,y/);
  expect(filesWithKey(meanwhile, now, changed)).toEqual({
    ...guestFiles({ ...identity, key: now, account: changed }, { ...agent, brokerAuthority: 'CA' }),
  });
});
