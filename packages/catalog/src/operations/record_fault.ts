import { newUuid } from '@trove/common';
import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';
import type { InstanceFaultRow } from '../tables.ts';

const MESSAGE_LENGTH = 255;

/** Says on the instance what went wrong last: `message` is for the tenant (cut to 255 characters), `details` for admins. */
export async function recordFault(
  tx: Knex.Transaction,
  args: { instanceId: string; message: string; details: string },
): Promise<void> {
  // Trove's text columns are utf8mb3 and hold no character beyond the basic plane.
  const [message, details] = [args.message, args.details].map((text) =>
    text.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '\u{fffd}'),
  );
  const values = { message: (message ?? '').slice(0, MESSAGE_LENGTH), details: details ?? '', updated: troveNow(tx) };
  const updated = await tx<InstanceFaultRow>('instance_faults')
    .where({ instance_id: args.instanceId, deleted: 0 })
    .update(values);
  if (updated > 0) return;
  await tx('instance_faults').insert({
    id: newUuid(),
    instance_id: args.instanceId,
    ...values,
    created: troveNow(tx),
    deleted: 0,
    deleted_at: null,
  });
}

/** What was wrong is wrong no more; with `of`, only what tasks of this kind have said. */
export async function clearFaults(tx: Knex.Transaction, instanceId: string, of?: string): Promise<void> {
  const shown = tx<InstanceFaultRow>('instance_faults').where({ instance_id: instanceId, deleted: 0 });
  if (of !== undefined) shown.where('details', 'like', `${of}: %`);
  await shown.update({ deleted: 1, deleted_at: troveNow(tx) });
}
