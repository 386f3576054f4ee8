import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { NoArgs } from '../types.ts';

/** Whether a legacy guest's agent answers at all. */
export const rpc_ping = defineMethod({ name: 'rpc_ping', args: NoArgs, result: Type.Literal(true) });
