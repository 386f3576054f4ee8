import { TroveError } from '@trove/common';
import type { Bus } from './bus/bus.ts';
import type { AmqpBusOptions, MemoryBroker } from './bus/options.ts';
import type * as T from './rpc/types.ts';

export type * from './bus/bus.ts';
export type { AmqpBusOptions, MemoryBroker, TappedMessage } from './bus/options.ts';
export type { GuestKey, GuestPeer, KeyStore, RpcPolicy } from './keys/key_store.ts';
export { type OnRefused, REFUSAL_REASONS, type RefusalFacts, type RefusalReason } from './rpc/refusal.ts';
export type * from './rpc/types.ts';

const later = (): never => {
  throw new TroveError('NOT_IMPLEMENTED', 'being written');
};
export const createAmqpBus: (options: AmqpBusOptions) => Promise<Bus> = later;
export const createMemoryBroker: () => MemoryBroker = later;
export const createTaskmanagerClient: (options: T.TaskmanagerClientOptions) => T.TaskmanagerClient = later;
export const createTaskmanagerServer: (options: T.TaskmanagerServerOptions) => T.RpcServer = later;
export const createGuestClient: (options: T.GuestClientOptions) => T.GuestClient = later;
export const createGuestServer: (options: T.GuestServerOptions) => T.GuestServer = later;
export const createConductorServer: (options: T.ConductorServerOptions) => T.RpcServer = later;
/** Kup, 32 bytes: what a conductor may know of Ki. */
export const uplinkKey: (instanceKey: string) => Buffer = later;
/** What a conductor may know of a v1 peer's key: its 32-character cipher key, as ASCII. */
export const legacyCipherKey: (instanceKey: string) => Buffer = later;
/** The key check value: 12 hex digits. */
export const keyCheckValue: (instanceKey: string) => string = later;
