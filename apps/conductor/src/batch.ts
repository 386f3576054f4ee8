import type { LegacyReport, SealedReport } from '@trove/catalog';
import { type ServiceStatus, serviceStatusByDescription } from '@trove/contracts';
import type { HeartbeatReport } from '@trove/crypto-rpc';

/** One batch, ready for the catalog: at most one report of one boot of an instance. */
export interface SortedBatch {
  readonly sealed: readonly SealedReport[];
  readonly legacy: readonly LegacyReport[];
  /** Status texts that Trove does not have; such a report counts as a sign of life without a status. */
  readonly unknownStatuses: readonly string[];
}

/**
 * Decides what of a batch is written: of several reports of one boot the newest, with what only older ones of them tell.
 * Those under its latest key count alone: what an older one tells may have lost its worth meanwhile.
 */
export function sortBatch(batch: readonly HeartbeatReport[]): SortedBatch {
  const sealed = new Map<string, SealedReport>();
  const legacy = new Map<string, LegacyReport>();
  const unknownStatuses = new Set<string>();
  for (const report of batch) {
    const text = report.args.payload.service_status;
    const status = text === undefined ? undefined : serviceStatusByDescription(text);
    if (text !== undefined && status === undefined) unknownStatuses.add(text);
    if (report.legacy) {
      legacy.set(report.instanceId, newerLegacy(legacy.get(report.instanceId), legacyReport(report, status)));
      continue;
    }
    const next = sealedReport(report, status);
    if (next === undefined) continue;
    const boot = `${next.instance_id} ${next.boot_nonce}`;
    sealed.set(boot, newerSealed(sealed.get(boot), next));
  }
  return { sealed: [...sealed.values()], legacy: [...legacy.values()], unknownStatuses: [...unknownStatuses] };
}

function sealedReport(report: HeartbeatReport, status: ServiceStatus | undefined): SealedReport | undefined {
  if (report.bootNonce === null || report.sequence === null || report.keyVersion === null) return undefined;
  return {
    instance_id: report.instanceId,
    boot_nonce: report.bootNonce.toString('hex'),
    key_version: report.keyVersion,
    sequence: report.sequence,
    status_id: status?.code ?? null,
    status_description: status?.description ?? null,
    volume_used: report.args.payload.volume_used ?? null,
    volume_total: report.args.payload.volume_total ?? null,
  };
}

function legacyReport(report: HeartbeatReport, status: ServiceStatus | undefined): LegacyReport {
  return {
    instance_id: report.instanceId,
    sent: report.args.sent ?? null,
    status_id: status?.code ?? null,
    status_description: status?.description ?? null,
  };
}

function newerSealed(one: SealedReport | undefined, other: SealedReport): SealedReport {
  if (one === undefined) return other;
  if (one.key_version !== other.key_version) return one.key_version > other.key_version ? one : other;
  const [older, newer] = one.sequence <= other.sequence ? [one, other] : [other, one];
  return {
    ...newer,
    ...(newer.status_id === null && { status_id: older.status_id, status_description: older.status_description }),
    volume_used: newer.volume_used ?? older.volume_used,
    volume_total: newer.volume_total ?? older.volume_total,
  };
}

/** Without a time of its own the later arrival is the newer one. */
function newerLegacy(one: LegacyReport | undefined, other: LegacyReport): LegacyReport {
  if (one === undefined) return other;
  const inOrder = one.sent === null || other.sent === null || one.sent <= other.sent;
  const [older, newer] = inOrder ? [one, other] : [other, one];
  return newer.status_id === null
    ? { ...newer, status_id: older.status_id, status_description: older.status_description }
    : newer;
}
