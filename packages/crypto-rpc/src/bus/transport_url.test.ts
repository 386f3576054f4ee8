import { Secret } from '@trove/common';
import { describe, expect, test } from 'vitest';
import { brokerHosts } from './transport_url.ts';

describe('a transport URL', () => {
  test.each([
    ['rabbit://u:p@h', '/', 5672],
    ['rabbit://u:p@h:1234/', '/', 1234],
    ['rabbit://u:p@h:1234//', '/', 1234],
    ['amqp://u:p@h/trove', 'trove', 5672],
    ['rabbit://u:p@h/%2Ftrove?ssl=0', '/trove', 5672],
    ['amqps://u:p@h/v', 'v', 5671],
  ])('%s names its vhost and port', (url, vhost, port) => {
    expect(brokerHosts(new Secret(url))).toMatchObject([{ hostname: 'h', username: 'u', password: 'p', vhost, port }]);
  });

  test('may name several hosts, each with its own account, and escapes in them', () => {
    expect(brokerHosts(new Secret('rabbit://a:p%40ss@h1:1,b:q:r@[::1]:2/v'))).toMatchObject([
      { username: 'a', password: 'p@ss', hostname: 'h1', port: 1 },
      { username: 'b', password: 'q:r', hostname: '::1', port: 2 },
    ]);
  });

  test.each(['http://h', 'rabbit://', 'rabbit://u:secret@h:x/', 'rabbit://u:%zz@h/'])(
    '%s is refused without being shown',
    (url) => {
      expect(() => brokerHosts(new Secret(url))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
      try {
        brokerHosts(new Secret(url));
      } catch (error) {
        expect(String(error)).not.toContain('secret');
      }
    },
  );
});
