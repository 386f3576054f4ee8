import type { Catalog } from '../catalog.ts';
import type { InstanceRow } from '../tables.ts';
import type { CheckResult, Finding } from './findings.ts';
import { type NamedSecret, SecretForms } from './secret_forms.ts';

/** One message as a tap on the broker has it. */
export interface TappedOnBus {
  readonly exchange: string;
  readonly routingKey: string;
  /** One whole envelope of a v2 peer. */
  readonly isSealed: boolean;
  /** Where v2 peers speak and nobody else. */
  readonly amongSealed: boolean;
  /** Of a message in clear; a name that Trove has, else undefined. */
  readonly method: string | undefined;
  readonly instanceIds: readonly string[];
  /** The bytes and what stands beside them, as latin1. */
  readonly text: string;
}

/** Reads along on the bus for a while. */
export interface BusTap {
  /** Resolves with what it did not see and why; rejects where the bus cannot be tapped. */
  readonly read: (look: (message: TappedOnBus) => void) => Promise<{ readonly notChecked: readonly string[] }>;
}

const SEALED_POLICY = 2;
/** Different findings, not messages. */
const KEPT = 10_000;

interface InClear {
  readonly exchange: string;
  readonly routingKey: string;
  readonly method: string | undefined;
  /** Null: it concerns v2 peers whoever they are. */
  readonly instanceId: string | null;
  times: number;
}

/**
 * I9 on the bus: what is in clear to or from an instance with a key, or where only those speak, and known secrets in any
 * message. Instances spoken to in clear, as Trove did, are left out; so is one that got its key while the tap was open, since
 * it was spoken to in clear until then. Of what was said nothing is kept but exchange, queue, method and instance.
 */
export async function readBus(catalog: Catalog, tap: BusTap, secrets: readonly NamedSecret[]): Promise<CheckResult> {
  const before = await policiesOf(catalog);
  const forms = new SecretForms(secrets);
  const clear = new Map<string, InClear>();
  const spilled = new Map<string, Finding>();
  const seen = { all: 0, sealed: 0, notKept: 0 };
  const { notChecked } = await tap.read((message) => {
    seen.all += 1;
    if (message.isSealed) seen.sealed += 1;
    for (const name of forms.in(message.text)) {
      const finding = secretOnBus(name, message);
      if (spilled.size < KEPT) spilled.set(finding.key, finding);
    }
    for (const one of inClear(message, before)) {
      const key = [one.exchange, one.method, one.instanceId].join(' ');
      const known = clear.get(key);
      if (known !== undefined) known.times += 1;
      else if (clear.size < KEPT) clear.set(key, one);
      else seen.notKept += 1;
    }
  });
  const late = await policiesOf(
    catalog,
    [...clear.values()].flatMap(({ instanceId }) => instanceId ?? []),
  );
  const wrong = [...clear.values()].filter(
    ({ instanceId }) => instanceId === null || (before.get(instanceId) ?? late.get(instanceId)) === SEALED_POLICY,
  );
  return {
    findings: [...wrong.map(clearOnBus), ...spilled.values()],
    notChecked: [
      ...notChecked,
      ...(seen.all === 0 ? ['the bus: no message passed while it was tapped'] : []),
      ...(seen.notKept === 0 ? [] : [`the bus: ${seen.notKept} more messages in clear than can be kept apart`]),
    ],
    notes: [`tapped: ${seen.all} messages on the bus, ${seen.sealed} of them sealed`],
  };
}

/** What may be a finding: of an instance that is not known (yet) it is told at the end. */
function inClear(message: TappedOnBus, before: ReadonlyMap<string, number>): readonly InClear[] {
  if (message.isSealed) return [];
  const { exchange, routingKey, method, instanceIds, amongSealed } = message;
  const one = { exchange: shown(exchange), routingKey: shown(routingKey), method, times: 1 };
  if (amongSealed) return [{ ...one, instanceId: null }];
  const sealed = instanceIds.filter((id) => (before.get(id) ?? SEALED_POLICY) === SEALED_POLICY);
  return sealed.map((instanceId) => ({ ...one, instanceId }));
}

/** Of instances that are not deleted, or of these whatever they are. */
async function policiesOf({ knex }: Catalog, ids?: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const rows: Pick<InstanceRow, 'id' | 'rpc_policy'>[] = [];
  const pieces = ids === undefined ? [undefined] : inPieces([...new Set(ids)]);
  for (const piece of pieces) {
    const query = knex<InstanceRow>('instances').select('id', 'rpc_policy');
    rows.push(...(await (piece === undefined ? query.where({ deleted: 0 }) : query.whereIn('id', piece))));
  }
  return new Map(rows.map(({ id, rpc_policy }) => [id, rpc_policy]));
}

const PIECE = 500;

function inPieces(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / PIECE) }, (_, index) =>
    ids.slice(index * PIECE, (index + 1) * PIECE),
  );
}

function clearOnBus({ exchange, routingKey, method, instanceId, times }: InClear): Finding {
  const what = method === undefined ? 'a message that is not sealed' : `"${method}" in clear`;
  return {
    key: `bus:${exchange}:${method}:${instanceId}`,
    instanceId,
    what: `${what} ${where(exchange, routingKey)}, ${times} ${times === 1 ? 'time' : 'times'}`,
    since: null,
    todo: 'Nobody here takes it, and whoever sent it is none of these services or does not know of the key: the logs of the receiver have the refusals.',
  };
}

function secretOnBus(name: string, { exchange, routingKey }: TappedOnBus): Finding {
  return {
    key: `bus:${shown(exchange)}:${name}`,
    instanceId: null,
    what: `a message ${where(shown(exchange), shown(routingKey))} holds ${name}`,
    since: null,
    todo: 'Change that secret, and find who sent it.',
  };
}

function where(exchange: string, routingKey: string): string {
  return exchange === '' ? `to queue ${routingKey}` : `on exchange ${exchange} for ${routingKey}`;
}

/** Names are whatever a sender wrote. */
function shown(name: string): string {
  return /^[\w.:#*-]{0,120}$/.test(name) ? name : '(a name that is not shown)';
}
