import type { PlainMethod } from './method.ts';

export const rpc_ping: PlainMethod<'rpc_ping'> = () => Promise.resolve(true);
