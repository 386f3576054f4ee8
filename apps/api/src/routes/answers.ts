import { FaultBody, PlainFaultBody } from '@trove/contracts';
import { type TSchema, Type } from 'typebox';

const Refused = Type.Union([FaultBody, PlainFaultBody], { description: 'Refused; which shape depends on where.' });

/** A route's good answer beside the refusals that every route may give. */
export function answers<Code extends number, Body extends TSchema>(code: Code, body: Body): Record<Code, Body> & Record<'4xx' | '5xx', TSchema> {
  return { [code]: body, '4xx': Refused, '5xx': FaultBody } as Record<Code, Body> & Record<'4xx' | '5xx', TSchema>;
}

/** 202: what was asked for has been taken, or, where a guest was asked, done. The body is empty. */
export const ACCEPTED = Type.Unsafe<undefined>({ description: 'Empty.' });
