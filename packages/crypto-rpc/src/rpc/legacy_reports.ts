import { type Clock, isUuid } from '@trove/common';
import { conductorApi } from '@trove/contracts';
import { type OsloRequest, parseRequest } from '../codecs/oslo/envelope.ts';
import { claimedSender, openUp } from '../codecs/oslo/v1.ts';
import type { JsonObject } from '../codecs/v2/strict_json.ts';
import type { GuestPeer } from '../keys/key_store.ts';
import type { CheckedReport } from './conductor_server.ts';
import { type Check, envelopeChecks, type Received } from './pipeline.ts';
import { Refusal } from './refusal.ts';
import type { ReportSenders } from './report_senders.ts';
import { findMethod, present } from './sealed_checks.ts';
import { UniqueIds } from './unique_ids.ts';
import { checkArguments, checkOwnIds } from './validation.ts';

const AHEAD_MS = 60_000;

export interface LegacyReportMessage extends Received {
  raw?: OsloRequest;
  instanceId?: string;
  peer?: GuestPeer;
  /** Opened, where the sender has a key. */
  args?: JsonObject;
}

/**
 * The checks of a report from a guest of policy 0 or 1. What the message looks like only says who it claims to be from; the
 * catalog says whether it must be sealed.
 */
export function legacyReportChecks(
  senders: ReportSenders,
  allowPlaintext: boolean,
): readonly Check<LegacyReportMessage>[] {
  const ids = new UniqueIds();
  return [
    ...envelopeChecks,
    {
      name: 'content',
      reason: 'content',
      run: (message) => {
        message.raw = parseRequest(message.delivery.body);
        if (message.raw.callId !== null) throw new Refusal('pair');
      },
    },
    {
      name: 'sender',
      reason: 'unknown_sender',
      run: async (message) => {
        const instanceId = senderOf(present(message.raw, 'content'));
        message.claimedSender = `guest:${instanceId}`;
        message.instanceId = instanceId;
        const { userId } = message.delivery;
        message.peer = present(await senders.find({ instanceId, userId }), 'unknown_sender');
      },
    },
    {
      name: 'policy',
      reason: 'policy',
      run: (message) => checkPolicy(present(message.peer, 'policy'), allowPlaintext),
    },
    {
      name: 'open',
      reason: 'open',
      run: (message) => {
        message.args = open(present(message.raw, 'content'), present(message.peer, 'policy'));
      },
    },
    {
      name: 'unique id',
      reason: 'duplicate',
      run: (message) =>
        ids.take(present(message.instanceId, 'unknown_sender'), present(message.raw, 'content').uniqueId),
    },
    {
      name: 'method and arguments',
      reason: 'arguments',
      run: (message) => checkArguments(findMethod(conductorApi, present(message.raw, 'content').method), message.args),
    },
    {
      name: 'own ids',
      reason: 'foreign_id',
      run: (message) => checkOwnIds(message.args, present(message.instanceId, 'unknown_sender')),
    },
  ];
}

/** What passed the checks, with a `sent` from the future taken for now: it would silence all that follow. */
export function legacyReport(message: LegacyReportMessage, clock: Clock): CheckedReport {
  const args = present(message.args, 'open');
  const { sent } = args;
  const nowMs = clock.now();
  const ahead = typeof sent === 'number' && sent * 1000 > nowMs + AHEAD_MS;
  const { method, uniqueId } = present(message.raw, 'content');
  return {
    instanceId: present(message.instanceId, 'unknown_sender'),
    method,
    args: ahead ? { ...args, sent: nowMs / 1000 } : args,
    messageId: uniqueId,
    expiresMs: null,
    bootNonce: null,
    sequence: null,
    keyVersion: null,
    legacy: true,
  };
}

function senderOf(request: OsloRequest): string {
  const id = claimedSender(request.context) ?? request.args['instance_id'];
  if (typeof id !== 'string' || !isUuid(id)) throw new Refusal('unknown_sender');
  return id;
}

function checkPolicy(peer: GuestPeer, allowPlaintext: boolean): void {
  const allowed = !peer.pendingOnly && (peer.policy === 1 || (peer.policy === 0 && allowPlaintext));
  if (!allowed) throw new Refusal('policy');
}

function open(request: OsloRequest, peer: GuestPeer): JsonObject {
  if (peer.policy === 0) return request.args;
  const key = peer.keys.find(({ state }) => state === 'active');
  const cipherKey = present(key, 'key_version').uplinkKey.reveal();
  return openUp(request.args, request.context, peer.instanceId, cipherKey).args;
}
