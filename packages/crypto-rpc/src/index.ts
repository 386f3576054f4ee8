export { type AmqpBuses, createAmqpBus, createAmqpBuses } from './bus/amqp_bus.ts';
export type {
  BindingSpec,
  Bus,
  ConsumeOptions,
  DeclareOptions,
  Delivery,
  ExchangeSpec,
  Publication,
  QueueSpec,
  Subscription,
  Topology,
} from './bus/bus.ts';
export type { Permissions, TopicPermission } from './bus/memory_accounts.ts';
export { createMemoryBroker } from './bus/memory_broker.ts';
export type { AmqpBusOptions, MemoryBroker, TappedMessage } from './bus/options.ts';
export type { PasswordChoice } from './bus/passwords.ts';
export { agreedKey, brokerPassword, newKeyPair } from './keys/agreement.ts';
export { keyCheckValue, uplinkKey } from './keys/derive.ts';
export { type HeldKey, type HeldKeys, type HeldKeysFile, heldInMemory } from './keys/held_keys.ts';
export type { GuestKey, GuestPeer, KeyStore, RpcPolicy } from './keys/key_store.ts';
export { createConductorServer } from './rpc/conductor_server.ts';
export {
  deploymentMark,
  deploymentsIn,
  type GuestWalls,
  guestAccount,
  guestWalls,
  isGuestAccount,
} from './rpc/guest_account.ts';
export { createGuestClient } from './rpc/guest_client.ts';
export { createGuestServer } from './rpc/guest_server.ts';
export { type OnRefused, type RefusalFacts, type RefusalReason } from './rpc/refusal.ts';
export { createRefusalAudit } from './rpc/refusal_audit.ts';
export { startWhenReachable } from './rpc/start_when_reachable.ts';
export { createTaskmanagerClient } from './rpc/taskmanager_client.ts';
export { createTaskmanagerServer } from './rpc/taskmanager_server.ts';
export { guestTopology, SEALED_TOPOLOGY } from './rpc/topology.ts';
export type {
  CallContext,
  Caller,
  CallOptions,
  ConductorHandlers,
  ConductorServerOptions,
  ControlKeys,
  EventReport,
  GuestCallOptions,
  GuestClient,
  GuestClientOptions,
  GuestHandlers,
  GuestServer,
  GuestServerOptions,
  HeartbeatReport,
  HelloAnswer,
  RpcServer,
  TaskmanagerClient,
  TaskmanagerClientOptions,
  TaskmanagerServerOptions,
  VerifiedReport,
} from './rpc/types.ts';
export { type OnBus, readSeen, type SeenOnBus } from './tap/seen_on_bus.ts';
