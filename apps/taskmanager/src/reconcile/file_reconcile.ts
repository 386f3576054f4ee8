import { freeDeadSlot, lockInstance, type ReconcileKind, type RecordedFinding } from '@trove/catalog';
import { fileTask, type Json } from '@trove/tasks';
import type { Transaction } from '../guests/guest_keys.ts';
import { memberOf } from '../tasks/shared/outputs.ts';

export const RECONCILE_INSTANCE = 'reconcile_instance';
export const RECONCILE_VERSION = 1;
export const RECONCILE_DEADLINE_MS = 600_000;

/**
 * Files the task that puts this instance right, which takes its slot and acts on these findings and on nothing else. False
 * where the instance is gone; rejects with `UNPROCESSABLE` where another task has the slot.
 */
export async function fileReconcile(
  tx: Transaction,
  { instanceId, findings }: { readonly instanceId: string; readonly findings: readonly RecordedFinding[] },
): Promise<boolean> {
  const row = await lockInstance(tx, instanceId);
  if (row === undefined) return false;
  await freeDeadSlot(tx, instanceId);
  await fileTask(tx, {
    kind: RECONCILE_INSTANCE,
    instanceId,
    projectId: row.tenant_id ?? '',
    params: { findings: findings.map(({ kind, subject }) => nameOf(kind, subject)) },
    deadlineMs: RECONCILE_DEADLINE_MS,
    codeVersion: RECONCILE_VERSION,
  });
  return true;
}

/** Whether the task was filed for this finding among others. */
export function isFiledFor(params: Json, kind: ReconcileKind, subject: string): boolean {
  return findingsOf(params).includes(nameOf(kind, subject));
}

export function isFiledForAny(params: Json, kind: ReconcileKind): boolean {
  return findingsOf(params).some((finding) => typeof finding === 'string' && finding.startsWith(nameOf(kind, '')));
}

function findingsOf(params: Json): readonly Json[] {
  const findings = memberOf(params, 'findings');
  return Array.isArray(findings) ? findings : [];
}

function nameOf(kind: ReconcileKind, subject: string): string {
  return `${kind} ${subject}`;
}
