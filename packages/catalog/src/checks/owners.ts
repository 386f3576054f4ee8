import type { ResourceRow } from '../tables.ts';
import { ownershipOf } from './differences.ts';
import type { CatalogFacts } from './facts.ts';
import { type CheckResult, type Finding, together } from './findings.ts';
import {
  type BrokerReading,
  instanceOfAccount,
  instanceOfQueue,
  markedAccounts,
  type OutsideThing,
} from './outside.ts';

const BY_ITSELF = 'The reconciler removes it after its grace time; see trove-manage reconcile.';
const RESTORED =
  'Was the catalog restored, or rows removed? The reconciler removes nothing until trove-manage reconcile --apply.';

/** Two readings of the catalog around one of the world: what is missing was expected before, what is too much is so after. */
export interface Around {
  readonly before: CatalogFacts;
  readonly after: CatalogFacts;
}

/** I3 for what compute has. */
export function ownersOfThings({ before, after }: Around, things: readonly OutsideThing[]): CheckResult {
  const own = things.filter((thing) => thing.deploymentId === after.deploymentId);
  const expected = [...before.resources.values()].filter((row) => isExpected(before, row) && isExpected(after, row));
  const tokens = new Set(own.map((thing) => thing.clientToken));
  const lost = expected.filter((row) => !tokens.has(row.token));
  const findings = [...unowned(after, own), ...named(after)];
  if (own.length === 0 && lost.length > 0) {
    const where = `this machine's compute has nothing of the deployment, and the catalog has ${lost.length} servers, volumes and snapshots: they are not known to this compute driver`;
    return { findings, notChecked: [where] };
  }
  return together({ findings: [...findings, ...lost.map(lostFinding)], notChecked: [] });
}

function unowned(facts: CatalogFacts, things: readonly OutsideThing[]): Finding[] {
  return things.flatMap((thing) => {
    const ownership = ownershipOf(facts, thing, things);
    if (ownership === 'owned' || ownership === 'in flight') return [];
    return {
      key: `unowned:${thing.kind}:${thing.id}`,
      instanceId: thing.instanceId,
      what: `${thing.kind} ${thing.id} carries this deployment's id and has no owner in the catalog`,
      since: null,
      todo: ownership === 'unheard' ? RESTORED : BY_ITSELF,
    };
  });
}

/** A server or volume that two instances name. */
function named(facts: CatalogFacts): Finding[] {
  const findings: Finding[] = [];
  for (const [kind, column] of [['server', 'compute_instance_id'] as const, ['volume', 'volume_id'] as const]) {
    const rows = [...facts.instances.values()].filter((row) => row[column] !== null);
    for (const [id, owners] of Map.groupBy(rows, (row) => row[column])) {
      const first = owners[0];
      if (owners.length < 2 || first === undefined) continue;
      findings.push({
        key: `two owners:${kind}:${id}`,
        instanceId: first.id,
        what: `${kind} ${id} is named by ${owners
          .map((owner) => owner.id)
          .toSorted()
          .join(' and ')}`,
        since: null,
        todo: 'Find out which of them it serves, and clear the column of the other.',
      });
    }
  }
  return findings;
}

function isExpected(facts: CatalogFacts, { token }: ResourceRow): boolean {
  const row = facts.resources.get(token);
  if (row?.state !== 'live' || (row.kind !== 'server' && row.kind !== 'volume' && row.kind !== 'snapshot'))
    return false;
  return facts.instances.has(row.instance_id) && !facts.atWork.has(row.instance_id);
}

function lostFinding(row: ResourceRow): Finding {
  return {
    key: `lost:${row.token}`,
    instanceId: row.instance_id,
    what: `${row.kind} ${row.external_id} stands in the catalog as live and is not there`,
    since: null,
    todo: 'It is never made again by itself. Look for it outside; delete the instance if it is lost.',
  };
}

/**
 * I3 for accounts and queues. Those count that are named for an instance of this catalog, deleted or not, and accounts with
 * this deployment's mark. A queue says nothing of who made it: one that belongs to none of these is only noted.
 */
export function ownersOnBroker({ before, after }: Around, broker: BrokerReading): CheckResult {
  const accounts = new Set(broker.accounts);
  const marked = markedAccounts(broker.marks, after.deploymentId).filter(({ id }) => accounts.has(id));
  const tooMany = (kind: string, names: readonly string[], instanceOf: (name: string) => string | undefined) =>
    names.flatMap((name) => {
      const instanceId = instanceOf(name);
      if (instanceId === undefined || !after.deleted.has(instanceId)) return [];
      return {
        key: `unowned:${kind}:${name}`,
        instanceId,
        what: `${kind} ${name} is there, and its instance is deleted`,
        since: null,
        todo: 'Taskmanagers remove it where they have broker_management_url; else delete it on the broker.',
      };
    });
  const missing = [...before.resources.values()].filter(
    (row) => counts(before, row) && counts(after, row) && !accounts.has(row.external_id ?? ''),
  );
  const queues = broker.queues.map((queue) => queue.name);
  const isKnown = (id: string): boolean => after.instances.has(id) || after.deleted.has(id);
  const ours = new Set(marked.map(({ instanceId }) => instanceId));
  const strange = queues.flatMap((name) => instanceOfQueue(name) ?? []).filter((id) => !isKnown(id) && !ours.has(id));
  const findings = [
    ...tooMany('account', broker.accounts, instanceOfAccount),
    ...tooMany('queue', queues, instanceOfQueue),
    ...unowned(
      after,
      marked.filter(({ instanceId }) => !after.deleted.has(instanceId)),
    ),
    ...missing.map((row) => ({
      key: `lost:${row.token}`,
      instanceId: row.instance_id,
      what: `broker account ${row.external_id} counts in the catalog and is not on the broker`,
      since: null,
      todo: 'Taskmanagers make it again, with the password that its guest has, where they have broker_management_url.',
    })),
  ];
  const note = `${strange.length} guest queues are of no instance and no account of this deployment: they are not touched`;
  return { findings, notChecked: [], notes: strange.length === 0 ? [] : [note] };
}

function counts(facts: CatalogFacts, { token }: ResourceRow): boolean {
  const row = facts.resources.get(token);
  if (row?.kind !== 'broker_account' || row.state !== 'live') return false;
  return facts.instances.has(row.instance_id) && !facts.atWork.has(row.instance_id);
}
