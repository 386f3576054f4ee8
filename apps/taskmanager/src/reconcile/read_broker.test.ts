import { checkInvariants, countAccount, intendAccount, withTransaction } from '@trove/catalog';
import { testCatalog } from '@trove/catalog/testing';
import { newUuid, Secret } from '@trove/common';
import { guestAccount, guestTopology } from '@trove/crypto-rpc';
import { testBroker } from '@trove/testkit';
import { expect, it } from 'vitest';
import { createBrokerAccounts } from '../broker/broker_accounts.ts';
import { createRabbitmqAdmin } from '../broker/rabbitmq_admin.ts';
import { readDeploymentId } from '../deployment_id.ts';
import { readBroker } from './read_broker.ts';

it('reads accounts and queues off RabbitMQ: what a deleted instance left there is found, and what is of no instance', async () => {
  const [broker, catalog] = await Promise.all([testBroker(), testCatalog('sqlite')]);
  const managementUrl = new Secret(broker.managementUrl);
  const accounts = createBrokerAccounts(createRabbitmqAdmin({ managementUrl, vhost: broker.vhost, fetch }), () =>
    readDeploymentId(catalog),
  );
  const elsewhere = createBrokerAccounts(createRabbitmqAdmin({ managementUrl, vhost: broker.vhost, fetch }), async () =>
    newUuid(),
  );
  const [gone, alive, orphan, others] = [newUuid(), newUuid(), newUuid(), newUuid()];
  try {
    await accounts.make(orphan, new Secret('password-of-this-test'));
    await elsewhere.make(others, new Secret('password-of-this-test'));
    await withTransaction(catalog, async (tx) => {
      await intendAccount(tx, { instanceId: alive, taskId: newUuid(), account: guestAccount(alive) });
      await countAccount(tx, alive);
    });
    for (const id of [gone, alive]) {
      await accounts.make(id, new Secret('password-of-this-test'));
      await catalog.knex('instances').insert({ id, deleted: id === gone ? 1 : 0, rpc_policy: 0, task_id: 1 });
    }
    const settings = { broker_management_url: managementUrl, broker_management_ca: undefined };
    const reading = await readBroker(settings, new Secret(broker.url));
    expect(reading.accounts).toEqual(expect.arrayContaining([guestAccount(gone), guestAccount(alive)]));
    const [queue] = guestTopology(alive).queues ?? [];
    expect(reading.queues.find(({ name }) => name === queue?.name)).toMatchObject({ messages: 0, consumers: 0 });
    const absent = { notChecked: 'not in this test' };
    const report = await checkInvariants({
      ...{ catalog, things: absent, flavors: absent, rings: absent, effects: absent },
      broker: { read: () => readBroker(settings, new Secret(broker.url)) },
      logs: { files: [], secrets: [] },
      settleMs: 0,
    });
    expect(report.results.flatMap((result) => result.findings.map(({ what }) => what))).toEqual([
      `account ${guestAccount(gone)} is there, and its instance is deleted`,
      `queue guest.${gone} is there, and its instance is deleted`,
      `account ${guestAccount(orphan)} carries this deployment's id and has no owner in the catalog`,
    ]);
    expect(report.results.flatMap(({ notes = [] }) => notes)).toEqual([
      '1 guest queues are of no instance and no account of this deployment: they are not touched',
    ]);
    const wrong = new URL(broker.managementUrl);
    wrong.password = 'another';
    const refused = readBroker({ ...settings, broker_management_url: new Secret(wrong.href) }, new Secret(broker.url));
    await expect(refused).rejects.toMatchObject({ code: 'RPC_REFUSED' });
  } finally {
    for (const id of [gone, alive, orphan, others]) await accounts.remove(id);
    await accounts.close();
    await elsewhere.close();
    await broker.dispose();
    await catalog.dispose();
  }
});
