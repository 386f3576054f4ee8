import type { RpcApi, RpcMethod } from '@trove/contracts';
import { type Header, isZero, type Kind, parseHeader } from '../codecs/v2/header.ts';
import type { Opener } from '../codecs/v2/open.ts';
import { type Party, partyName, sameParty } from '../codecs/v2/party.ts';
import { parseRequest, type Request } from '../codecs/v2/payload.ts';
import type { SessionKeys } from '../keys/derive.ts';
import type { RpcPolicy } from '../keys/key_store.ts';
import { guestAccount, isGuestAccount } from './guest_account.ts';
import { type Check, envelopeChecks, type Received } from './pipeline.ts';
import { Refusal } from './refusal.ts';
import { checkArguments, checkOwnIds } from './validation.ts';

/** A sealed message on its way through the checks; each adds what the next ones need. */
export interface SealedMessage extends Received {
  header?: Header;
  senderKeys?: SenderKeys;
  rootKey?: Buffer;
  sessionKeys?: SessionKeys;
  plaintext?: Buffer;
}

export interface SealedRequest extends SealedMessage {
  request?: Request;
  method?: RpcMethod;
  /** True: it opened and is in time, but is meant for an earlier boot of this guest. */
  stale?: boolean;
}

/** What the receiver knows of a sender: which codec it is pinned to, and the root key of a live key version. */
export interface SenderKeys {
  readonly policy: RpcPolicy;
  /** The broker account that it must publish with; absent where it has none of its own. */
  readonly account?: string | undefined;
  readonly rootKey: (keyVersion: number) => Buffer | undefined;
  /** The boot that the last `hello` told; absent where the sender has none. */
  readonly bootNonce?: Buffer | null;
  /** Whether this version is a guest's already and not the catalog's yet. */
  readonly isUnsettled?: (keyVersion: number) => boolean;
}

export interface SealedReceiver {
  readonly me: Party;
  /** Who may send this receiver what. */
  readonly allowed: readonly { readonly role: Party['role']; readonly kinds: readonly Kind[] }[];
  readonly findSender: (
    header: Header,
    userId: string | undefined,
  ) => Promise<SenderKeys | undefined> | SenderKeys | undefined;
  readonly opener: Opener;
}

/**
 * The order in which every receiver looks at a sealed message, up to its plaintext; each step is cheaper than the next.
 */
export function openingChecks(receiver: SealedReceiver): readonly Check<SealedMessage>[] {
  return [
    ...envelopeChecks,
    {
      name: 'header shape',
      reason: 'shape',
      run: (message) => {
        message.header = parseHeader(message.delivery.body);
        message.claimedSender = partyName(message.header.sender);
      },
    },
    {
      name: 'for me',
      reason: 'receiver',
      run: (message) => demand(sameParty(headerOf(message).receiver, receiver.me), 'receiver'),
    },
    { name: 'pair and kind', reason: 'pair', run: (message) => demand(isAllowed(receiver, headerOf(message)), 'pair') },
    {
      name: 'no other account',
      reason: 'user_id',
      run: (message) => demand(!isOthersAccount(headerOf(message).sender, message.delivery.userId), 'user_id'),
    },
    {
      name: 'own account and policy',
      reason: 'policy',
      run: (message) => {
        const found = receiver.findSender(headerOf(message), message.delivery.userId);
        const check = (sender: SenderKeys | undefined): void => {
          if (sender === undefined) throw new Refusal('unknown_sender');
          demand(sender.account === undefined || sender.account === message.delivery.userId, 'user_id');
          demand(sender.policy === 2, 'policy');
          message.senderKeys = sender;
        };
        return found instanceof Promise ? found.then(check) : check(found);
      },
    },
    {
      name: 'key version',
      reason: 'key_version',
      run: (message) => {
        message.rootKey = present(message.senderKeys?.rootKey(headerOf(message).keyVersion), 'key_version');
      },
    },
    {
      name: 'commitment',
      reason: 'commitment',
      run: (message) => {
        message.sessionKeys = receiver.opener.commit(
          present(message.rootKey, 'key_version'),
          headerOf(message),
          message.delivery.userId,
        );
      },
    },
    {
      name: 'open',
      reason: 'open',
      run: (message) => {
        const rootKey = present(message.rootKey, 'key_version');
        const keys = present(message.sessionKeys, 'commitment');
        message.plaintext = receiver.opener.open(rootKey, headerOf(message), keys, message.delivery.userId);
      },
    },
  ];
}

/**
 * What follows for requests and reports: content, time and replay, method, arguments, ownership.
 * @param judge this receiver's rule of time and replay; throws a `Refusal`
 */
export function requestChecks(api: RpcApi, judge: (message: SealedRequest) => void): readonly Check<SealedRequest>[] {
  return [
    {
      name: 'content',
      reason: 'content',
      run: (message) => {
        const request = parseRequest(present(message.plaintext, 'open'));
        demand((request.replyQueue !== null) === (headerOf(message).kind === 'call'), 'content');
        message.request = request;
      },
    },
    {
      name: 'boot nonce',
      reason: 'boot_nonce',
      // `hello` asks for the boot nonce and so carries none; everything else to a guest carries one.
      run: (message) => {
        const header = headerOf(message);
        const isHello = present(message.request, 'content').method === 'hello';
        if (header.receiver.role === 'guest') demand(isZero(header.bootNonce) === isHello, 'boot_nonce');
      },
    },
    { name: 'time and replay', reason: 'expiry', run: judge },
    {
      name: 'method',
      reason: 'method',
      run: (message) => {
        message.method = findMethod(api, present(message.request, 'content').method);
      },
    },
    {
      name: 'arguments',
      reason: 'arguments',
      run: (message) => checkArguments(present(message.method, 'method'), present(message.request, 'content').args),
    },
    {
      name: 'own ids',
      reason: 'foreign_id',
      run: (message) => {
        const { sender } = headerOf(message);
        if (sender.role === 'guest') checkOwnIds(present(message.request, 'content').args, sender.instanceId);
      },
    },
  ];
}

/** Throws a `Refusal` (`method`) unless the api has a method of this name. */
export function findMethod(api: RpcApi, name: string): RpcMethod {
  return present(Object.hasOwn(api, name) ? api[name] : undefined, 'method');
}

export function headerOf(message: SealedMessage): Header {
  return present(message.header, 'shape');
}

export function present<T>(value: T | undefined, reason: Refusal['reason']): T {
  if (value === undefined) throw new Refusal(reason);
  return value;
}

function demand(holds: boolean, reason: Refusal['reason']): void {
  if (!holds) throw new Refusal(reason);
}

/** The broker vouches for the account: a guest's own speaks for that guest and for nobody else. */
function isOthersAccount(sender: Party, userId: string | undefined): boolean {
  if (userId === undefined || !isGuestAccount(userId)) return false;
  return sender.instanceId === null || userId !== guestAccount(sender.instanceId);
}

function isAllowed(receiver: SealedReceiver, header: Header): boolean {
  return receiver.allowed.some(({ role, kinds }) => role === header.sender.role && kinds.includes(header.kind));
}
