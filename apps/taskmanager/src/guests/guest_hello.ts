import { type Catalog, type InstanceReportRow, recordHello, withTransaction } from '@trove/catalog';
import { type Logger, TroveError } from '@trove/common';
import type { GuestClient } from '@trove/crypto-rpc';
import type { GuestKeys } from './guest_keys.ts';

/** Asks guests who they are, and stores what they answer: the one root of freshness. */
export interface GuestHello {
  /** Under its active key, or this version. False where the answer was overtaken by another one and not stored. Rejects as `GuestClient.hello` does. */
  greet(instanceId: string, options: { keyVersion?: number; deadlineMs: number }): Promise<boolean>;
}

export function createGuestHello(deps: {
  catalog: Catalog;
  guests: Pick<GuestClient, 'hello'>;
  keys: Pick<GuestKeys, 'checkValueOf' | 'forget'>;
  logger: Logger;
}): GuestHello {
  const { catalog, guests, keys, logger } = deps;
  return {
    async greet(instanceId, options) {
      const row = await catalog
        .knex<InstanceReportRow>('instance_reports')
        .where({ instance_id: instanceId })
        .first('boot_nonce');
      const answer = await guests.hello(instanceId, options);
      const expected = await keys.checkValueOf(instanceId, answer.keyVersion);
      if (expected !== answer.kcv) {
        logger.error('the guest holds another key than the catalog', {
          instance_id: instanceId,
          version: answer.keyVersion,
        });
        throw new TroveError('GUEST_ERROR', 'The guest agent holds another key than the catalog.');
      }
      const outcome = await withTransaction(catalog, (tx) =>
        recordHello(tx, {
          instanceId,
          expectedNonce: row?.boot_nonce ?? null,
          bootNonce: answer.bootNonce.toString('hex'),
          sequence: answer.sequence,
          keyVersion: answer.keyVersion,
        }),
      );
      keys.forget(instanceId);
      if (outcome === 'clone') {
        logger.error('two guests answer under one key: the instance is in quarantine', { instance_id: instanceId });
        throw new TroveError('UNPROCESSABLE', `Instance ${instanceId} is in quarantine: two guests answer for it.`);
      }
      return outcome === 'stored';
    },
  };
}
