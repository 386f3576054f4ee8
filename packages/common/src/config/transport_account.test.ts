import { expect, test } from 'vitest';
import { Secret } from '../secret.ts';
import { accountOfUrl, urlWithAccount } from './transport_account.ts';

const account = { user: 'guest-1', password: new Secret('p-_w') };

test('every host of a URL gets the account, and scheme, hosts and vhost stay', () => {
  const url = new Secret('rabbit+ssl://u:p@one:5671,v:q@two:5672/sealed');
  const changed = urlWithAccount(url, account, 'sealed_transport_url');
  expect(changed.reveal()).toBe('rabbit+ssl://guest-1:p-_w@one:5671,guest-1:p-_w@two:5672/sealed');
  expect(accountOfUrl(changed)?.password.reveal()).toBe('p-_w');
});

test('the bus in memory has an account in its URL too, or none', () => {
  expect(accountOfUrl(new Secret('memory://'))).toBeUndefined();
  const changed = urlWithAccount(new Secret('memory://'), account, 'sealed_transport_url');
  expect(accountOfUrl(changed)).toMatchObject({ user: 'guest-1' });
});
