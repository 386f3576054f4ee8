import { type Catalog, type InstanceRow, withTransaction } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { fileTask, type NewTask } from '@trove/tasks';

/** What the kind and those who file it have in common. */
export const ROTATION = { kind: 'rotate_key', codeVersion: 1, deadlineMs: 600_000 } as const;

/** Of a task that only gives the broker the password of the present key, which an earlier one could not. */
const PASSWORD_ONLY = { params: { password_only: true }, deadlineMs: 60_000 } as const;

export function isPasswordOnly({ params }: Pick<NewTask, 'params'>): boolean {
  return params['password_only'] === true;
}

/**
 * Asks for another key for an instance, or only for the password of the present one; resolves with the task's id.
 * `NOT_FOUND` where there is no such instance, `UNPROCESSABLE` where it speaks no sealed messages, is in quarantine, or
 * another task has it.
 */
export function fileRotation(catalog: Catalog, instanceId: string, only?: 'password'): Promise<string> {
  return withTransaction(catalog, async (tx) => {
    const row: Pick<InstanceRow, 'tenant_id' | 'rpc_policy'> & { quarantined_at: unknown } = await tx('instances')
      .leftJoin('instance_reports', 'instance_reports.instance_id', 'instances.id')
      .where({ 'instances.id': instanceId, 'instances.deleted': 0 })
      .first('instances.tenant_id', 'instances.rpc_policy', 'instance_reports.quarantined_at');
    if (row === undefined) throw new TroveError('NOT_FOUND', `Instance ${instanceId} cannot be found.`);
    const refuse = (why: string): TroveError => new TroveError('UNPROCESSABLE', `Instance ${instanceId} ${why}`);
    if (row.rpc_policy === 0) throw refuse('has no key; an upgrade gives it one.');
    if (row.rpc_policy === 1) throw refuse("speaks Trove's own protocol, which cannot change its key; upgrade it.");
    if (row.quarantined_at !== null) throw refuse('is in quarantine: two guests answer for it.');
    const task = {
      ...{ ...ROTATION, instanceId, projectId: row.tenant_id ?? '', params: {} },
      ...(only !== undefined && PASSWORD_ONLY),
    };
    return (await fileTask(tx, task)).taskId;
  });
}
