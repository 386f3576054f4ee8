import { createLogger, newUuid, Secret } from '@trove/common';
import { testBroker } from '@trove/testkit';
import { expect, test } from 'vitest';
import { openBrokerAccounts } from './open_broker_accounts.ts';

const SEALED = new Secret('rabbit://u:p@127.0.0.1:5672/sealed');

function recorded(): { lines: string[]; logger: ReturnType<typeof createLogger> } {
  const lines: string[] = [];
  return {
    lines,
    logger: createLogger({ service: 'test', stream: { write: (line: string) => void lines.push(line) } }),
  };
}

const open = (url: string | undefined, ca?: string, logger = recorded().logger) =>
  openBrokerAccounts(
    { broker_management_url: url === undefined ? undefined : new Secret(url), broker_management_ca: ca },
    SEALED,
    logger,
    async () => 'd',
  );

test('unset, a start says that sealed guests share an account', async () => {
  const { lines, logger } = recorded();
  expect(await open(undefined, undefined, logger)).toBeUndefined();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('broker_management_url is not set');
});

test.each(['nonsense s3cret', 'amqp://u:s3cret@host', 'https://host:15671', 'https://u:s3cret@host:15671'])(
  'a setting that cannot hold ends the start without showing it (%s)',
  async (url) => {
    const error: unknown = await open(url).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('broker_management_') });
    expect(String(error)).not.toContain('s3cret');
  },
);

test('a management API that does not answer may be asked again, one that refuses may not', async () => {
  const broker = await testBroker();
  const wrong = new URL(broker.managementUrl);
  wrong.password = 's3cret';
  const [silent, refusing] = [await open('http://u:s3cret@127.0.0.1:1'), await open(wrong.href)];
  const make = (accounts: typeof silent) => accounts?.make(newUuid(), new Secret('pw'));
  await expect(make(silent)).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE', retryable: true });
  await expect(make(refusing)).rejects.toMatchObject({ code: 'RPC_REFUSED', retryable: false });
  await broker.dispose();
});
