import { TroveError } from '@trove/common';
import type { RpcMethod } from '@trove/contracts';
import { osloContext } from '../codecs/oslo/context.ts';
import type { Members } from '../codecs/oslo/envelope.ts';
import { readFailure, refusedInClear } from '../codecs/oslo/failure.ts';
import { openValue, sealDown } from '../codecs/oslo/v1.ts';
import { legacyCipherKey } from '../keys/derive.ts';
import type { GuestPeer } from '../keys/key_store.ts';
import type { LegacyAnswers, LegacyCaller, LegacyRequest } from './legacy_caller.ts';
import { commandKey } from './peer_keys.ts';
import { type Limits, reaching } from './sealed_caller.ts';
import { legacyGuestTopic } from './topology.ts';
import type { CallContext } from './types.ts';

/** Methods of ours that Trove's guests do not have. */
const OURS = new Set(['hello', 'rotate_key', 'get_outcome']);

/**
 * Asks a guest of policy 0 or 1 as Trove would. A method that is a cast there resolves when the broker has taken it, with
 * what a v2 guest would answer at once.
 */
export async function askLegacyGuest(
  caller: LegacyCaller,
  peer: GuestPeer,
  method: RpcMethod,
  args: Members,
  context: CallContext,
  limits: Limits,
): Promise<unknown> {
  if (OURS.has(method.name))
    throw new TroveError('NOT_IMPLEMENTED', 'This instance speaks an older protocol without this method.');
  const { request, answers } =
    peer.policy === 1 ? sealed(peer, method, args, context) : clear(peer, method, args, context);
  if (method.legacyKind === 'call') return await caller.call(request, answers, limits);
  await reaching(caller.cast(request), limits);
  return method.long ? { accepted: true } : null;
}

interface Asking {
  readonly request: LegacyRequest;
  readonly answers: LegacyAnswers;
}

function clear(peer: GuestPeer, method: RpcMethod, args: Members, context: CallContext): Asking {
  return {
    request: { ...addressed(peer, method), args, context: osloContext(context) },
    answers: { openResult: (result) => result, readFailure },
  };
}

function sealed(peer: GuestPeer, method: RpcMethod, args: Members, context: CallContext): Asking {
  const cipherKey = legacyCipherKey(commandKey(peer, method.name).instanceKey);
  return {
    request: { ...addressed(peer, method), ...sealDown(args, osloContext(context), cipherKey) },
    answers: { openResult: (result) => openValue(result, cipherKey), readFailure: refusedInClear },
  };
}

function addressed(peer: GuestPeer, method: RpcMethod): Pick<LegacyRequest, 'topic' | 'method' | 'version'> {
  return { topic: legacyGuestTopic(peer.instanceId), method: method.name, version: method.version };
}
