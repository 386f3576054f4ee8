import type { Secret } from '@trove/common';
import type { Knex } from 'knex';
import { checkValueOf, openInstanceKey, openKeyRow } from '../keys/guest_key.ts';
import type { KeyRings } from '../keys/rings.ts';
import type { InstanceKeyRow, InstanceRow } from '../tables.ts';
import type { CatalogFacts } from './facts.ts';
import type { Finding } from './findings.ts';
import { isFailedBuild, showsAction } from './transient_status.ts';

type KeyedRow = Pick<InstanceRow, 'id' | 'encrypted_key' | 'rpc_policy' | 'task_id' | 'server_status'>;

/** Keys at rest: what instances have, and the versions beside it. */
export interface KeysAtRest {
  readonly instances: readonly KeyedRow[];
  /** Active and pending ones. */
  readonly versions: readonly InstanceKeyRow[];
}

export async function readKeys(tx: Knex.Transaction): Promise<KeysAtRest> {
  return {
    instances: await tx<InstanceRow>('instances')
      .where({ deleted: 0 })
      .where('rpc_policy', '>', 0)
      .select('id', 'encrypted_key', 'rpc_policy', 'task_id', 'server_status'),
    versions: await tx<InstanceKeyRow>('instance_keys').whereNot({ state: 'retired' }).select(),
  };
}

/** I6 as far as rows tell: no policy below that of its key, and a key wherever one is spoken under. */
export function policiesOfKeys(facts: CatalogFacts, { instances, versions }: KeysAtRest): readonly Finding[] {
  const active = new Map(versions.filter(isActive).map((row) => [row.instance_id, row]));
  const policies = new Map(instances.map((row) => [row.id, row.rpc_policy]));
  const lowered = [...active.values()].flatMap(({ instance_id, policy }) => {
    const now = policies.get(instance_id) ?? 0;
    if (!facts.instances.has(instance_id) || now >= policy) return [];
    return finding(instance_id, 'policy', `its policy is ${now}, and that of its key is ${policy}: it went down`);
  });
  const keyless = instances
    .filter((row) => row.encrypted_key === null && !isUnderWay(facts, row))
    .map((row) => finding(row.id, 'keyless', `its policy is ${row.rpc_policy}, and it has no key`));
  const dead = versions
    .filter((row) => !facts.instances.has(row.instance_id))
    .map(({ instance_id, version }) => ({
      key: `dead key:${instance_id}:${version}`,
      instanceId: instance_id,
      what: `version ${version} of its key rests in the catalog, and the instance is deleted`,
      since: null,
      todo: 'The reconciler erases it after its grace time; see trove-manage reconcile.',
    }));
  return [...lowered, ...keyless, ...dead];
}

/**
 * I6 as far as keys tell: each opens, and is the one whose check value a guest has to answer `hello` with. The taskmanager
 * compares that value at each `hello`, and stores no boot of a guest whose key is another.
 */
export function keysThatDiffer(facts: CatalogFacts, keys: KeysAtRest, rings: KeyRings): readonly Finding[] {
  const active = new Map(keys.versions.filter(isActive).map((row) => [row.instance_id, row]));
  const findings: Finding[] = [];
  for (const instance of keys.instances) {
    const { id, encrypted_key } = instance;
    if (encrypted_key === null || facts.atWork.has(id)) continue;
    const opened = tryOpen(() => openInstanceKey(rings, { ...instance, encrypted_key }));
    const row = active.get(id);
    if (opened === undefined) findings.push(finding(id, 'closed', 'its key does not open under inst_rpc_key_encr_key'));
    else if (row !== undefined && row.kcv !== checkValueOf(opened))
      findings.push(finding(id, 'differs', `its key is another than version ${row.version} of it`));
  }
  for (const row of keys.versions) {
    if (row.sealed_key === '' || !facts.instances.has(row.instance_id)) continue;
    const opened = tryOpen(() => openKeyRow(rings, row));
    if (opened === undefined || checkValueOf(opened) !== row.kcv)
      findings.push(finding(row.instance_id, `version ${row.version}`, versionIsBroken(row, opened)));
  }
  return findings;
}

/** Ki of every instance that opens: what must stand in no log. */
export function openedKeys({ instances, versions }: KeysAtRest, rings: KeyRings): readonly Secret[] {
  return [
    ...instances.flatMap((row) => {
      const { encrypted_key } = row;
      return encrypted_key === null ? [] : (tryOpen(() => openInstanceKey(rings, { ...row, encrypted_key })) ?? []);
    }),
    ...versions.flatMap((row) => (row.sealed_key === '' ? [] : (tryOpen(() => openKeyRow(rings, row)) ?? []))),
  ];
}

function isActive({ state }: InstanceKeyRow): boolean {
  return state === 'active';
}

/** A build that failed has given its key back. */
function isUnderWay(facts: CatalogFacts, row: KeyedRow): boolean {
  return facts.atWork.has(row.id) || showsAction(row) || isFailedBuild(row) || row.server_status === 'ERROR';
}

function tryOpen(open: () => Secret): Secret | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}

function versionIsBroken({ version }: InstanceKeyRow, opened: Secret | undefined): string {
  return opened === undefined
    ? `version ${version} of its key does not open under inst_rpc_key_encr_key`
    : `version ${version} of its key has the check value of another key`;
}

function finding(instanceId: string, why: string, what: string): Finding {
  return {
    key: `key:${why}:${instanceId}`,
    instanceId,
    what,
    since: null,
    todo: 'Compare with trove-manage keys status; an upgrade of the instance makes a new key.',
  };
}
