export type * from './driver.ts';
export type { Account } from './local/account.ts';
export type { AgentHandle, AgentLaunch, AgentRunner } from './local/agent_runner.ts';
export { createDetachedAgentRunner, type DetachedAgentOptions } from './local/detached_agent.ts';
export { type Housing, type HousingOptions, houseGuests } from './local/housing.ts';
export type { InstallationSource, LocalInstallation } from './local/images.ts';
export { flavorsFileOf, type LocalChoicesOptions, localChoices } from './local/local_choices.ts';
export { LocalCompute, type LocalComputeOptions } from './local/local_compute.ts';
export { localThings } from './local/owned_things.ts';
