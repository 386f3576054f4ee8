import { randomBytes } from 'node:crypto';
import { newUuid, Secret } from '@trove/common';
import type { Bus, PasswordChoice } from '@trove/crypto-rpc';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DEPLOYMENT, WALLED_BROKERS, type WalledBroker } from '../../test/each_broker.ts';
import { type BrokerAccounts, createBrokerAccounts } from './broker_accounts.ts';

vi.setConfig({ testTimeout: 60_000 });

const newPassword = (): Secret => new Secret(randomBytes(32).toString('base64url'));
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 500));
const connected = (bus: Bus): Promise<void> =>
  vi.waitFor(() => expect(bus.state).toBe('connected'), { timeout: 20_000, interval: 20 });

describe.each(WALLED_BROKERS)('a password that is being changed %s', (_name, open) => {
  let broker: WalledBroker;
  let accounts: BrokerAccounts;
  const id = newUuid();
  const [old, next] = [newPassword(), newPassword()];
  let accepted: Secret[];
  const choice = (...candidates: Secret[]): PasswordChoice => ({
    candidates: () => candidates,
    accepted: (password) => void accepted.push(password),
  });

  beforeEach(async () => {
    broker = await open();
    accounts = createBrokerAccounts(broker.admin, async () => DEPLOYMENT);
    accepted = [];
    await accounts.make(id, old);
  });
  afterEach(() => broker.dispose());

  test('a connection goes on over the change, and the next one finds the password that holds, whichever that is', async () => {
    const before = await broker.login(id, old, choice(next, old));
    await connected(before);
    expect(accepted).toEqual([old]);
    await accounts.make(id, next);
    await settled();
    expect(before.state).toBe('connected');
    const after = await broker.login(id, old, choice(next, old));
    await connected(after);
    expect(accepted).toEqual([old, next]);
  });

  test('no other password is let in, and one that is asked for later is found', async () => {
    const candidates = [newPassword(), newPassword()];
    const bus = await broker.login(id, old, choice(...candidates));
    const late = await broker.login(id, old, {
      candidates: () => (bus.state === 'connected' ? [] : [newPassword(), ...candidates]),
      accepted: (password) => void accepted.push(password),
    });
    await settled();
    expect([bus.state, late.state, accepted]).toEqual(['connecting', 'connecting', []]);
    candidates.push(old);
    await connected(late);
    expect(accepted).toContain(old);
  });
});
