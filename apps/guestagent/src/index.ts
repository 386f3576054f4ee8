export { type BusRequest, buildGuestAgent, type GuestAgent, type GuestAgentOptions } from './guest_agent.ts';
export { type GuestConfig, loadGuestConfig } from './options.ts';
export { readServerFacts, type ServerFacts } from './server_facts.ts';
