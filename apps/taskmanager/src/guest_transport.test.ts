import { Secret } from '@trove/common';
import { expect, test } from 'vitest';
import { guestTransport } from './guest_transport.ts';

const bus = new Secret('rabbit://u:p@inner:5672/sealed');

test('without an address of their own guests get the URL of the bus', () => {
  expect(guestTransport(bus, 'sealed_transport_url', undefined).reveal()).toBe('rabbit://u:p@inner:5672/sealed');
});

test('guest_transport_url replaces hosts, ports and TLS, and neither the account nor the vhost', () => {
  const seen = new Secret('rabbit+ssl://x:y@outer1:5671,outer2:5671/other');
  expect(guestTransport(bus, 'sealed_transport_url', seen).reveal()).toBe(
    'rabbit+ssl://u:p@outer1:5671,u:p@outer2:5671/sealed',
  );
});
