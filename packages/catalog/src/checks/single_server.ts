import type { Knex } from 'knex';
import { toBigint } from '../bigint.ts';
import { listQuarantine } from '../operations/quarantine.ts';
import type { CatalogFacts } from './facts.ts';
import { type Finding, millis } from './findings.ts';
import { type BrokerReading, instanceOfQueue, type OutsideThing } from './outside.ts';

/** I4: two servers of one instance, while nobody is at work on it. */
export function secondServers(facts: CatalogFacts, things: readonly OutsideThing[]): readonly Finding[] {
  const servers = things.filter(({ kind, deploymentId }) => kind === 'server' && deploymentId === facts.deploymentId);
  return [...Map.groupBy(servers, (server) => server.instanceId)].flatMap(([instanceId, own]) => {
    if (own.length < 2 || facts.atWork.has(instanceId)) return [];
    return {
      key: `servers:${instanceId}`,
      instanceId,
      what: `has ${own.length} servers: ${own.map((server) => server.id).join(', ')}`,
      since: null,
      todo: 'The one that instances.compute_instance_id names serves. The reconciler removes what nobody owns.',
    };
  });
}

/** I4: more than one agent listens on a guest's queue. */
export function secondAgents({ queues }: BrokerReading): readonly Finding[] {
  return queues.flatMap(({ name, consumers }) => {
    const instanceId = instanceOfQueue(name);
    if (instanceId === undefined || consumers < 2) return [];
    return {
      key: `agents:${instanceId}`,
      instanceId,
      what: `${consumers} agents listen on its queue`,
      since: null,
      todo: 'A server was cloned, or an old one runs on: end it.',
    };
  });
}

export interface Quarantined {
  readonly instanceId: string;
  readonly since: number;
}

export async function readQuarantine(tx: Knex.Transaction): Promise<readonly Quarantined[]> {
  const rows = await listQuarantine(tx);
  return rows.map((row) => ({ instanceId: row.instance_id, since: millis(toBigint(row.quarantined_at)) }));
}

/** I4: two guests have answered under one key. */
export function quarantinedGuests(quarantined: readonly Quarantined[]): readonly Finding[] {
  return quarantined.map(({ instanceId, since }) => ({
    key: `quarantine:${instanceId}`,
    instanceId,
    what: 'two guests answered under its key: it is in quarantine',
    since,
    todo: 'End the clone, then trove-manage quarantine lift.',
  }));
}
