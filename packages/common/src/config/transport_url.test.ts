import { expect, test } from 'vitest';
import { Secret } from '../secret.ts';
import { formatTransportUrl, parseTransportUrl } from './transport_url.ts';

const parse = (text: string) => parseTransportUrl(new Secret(text), 'transport_url');

test.each(['rabbit://u:p@h:1', 'rabbit://u:p@h:1/', 'rabbit://u:p@h:1//', 'rabbit://u:p@h:1/%2F'])(
  '%s means the vhost /',
  (text) => {
    expect(parse(text).vhost).toBe('/');
  },
);

test('several hosts keep their order, and a host without an account has that of the one before', () => {
  const url = parse('rabbit://a:p%40ss@one:5000,two,b:c:d@[::1]:7/trove');
  expect(url.hosts.map((host) => [host.host, host.port, host.user, host.password.reveal()])).toEqual([
    ['one', 5000, 'a', 'p@ss'],
    ['two', 5672, 'a', 'p@ss'],
    ['::1', 7, 'b', 'c:d'],
  ]);
  expect(url.vhost).toBe('trove');
});

test('rabbit+ssl and ?ssl=1 mean TLS and its port', () => {
  expect(parse('rabbit+ssl://u:p@h/')).toMatchObject({ tls: true, hosts: [{ port: 5671 }] });
  expect(parse('rabbit://u:p@h/?ssl=1').tls).toBe(true);
});

test('a parsed URL is written so that it parses to the same', () => {
  const text = 'rabbit://u:p@h:1,v:q@[::1]:2/trove';
  expect(formatTransportUrl(parse(text)).reveal()).toBe(text);
  expect(formatTransportUrl(parse('rabbit://u:p@h:1')).reveal()).toBe('rabbit://u:p@h:1//');
  expect(formatTransportUrl(parse('rabbit://u%3A:p%2F@h:1/a%2Fb')).reveal()).toBe('rabbit://u%3A:p%2F@h:1/a%2Fb');
});

test.each([
  'mysql://u:hidden@h/',
  'rabbit:',
  'rabbit://u:hidden@h:99999/',
  'rabbit://u:hidden%@h/',
  'rabbit://u:hidden@:1/',
])('%s is refused without showing it', (text) => {
  expect(() => parse(text)).toThrowError(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.not.stringContaining('hidden') }),
  );
});
