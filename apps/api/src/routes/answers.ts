import { FaultBody, PlainFaultBody } from '@trove/contracts';
import { type TSchema, Type } from 'typebox';

const Refused = Type.Union([FaultBody, PlainFaultBody], { description: 'Refused; which shape depends on where.' });

/** A route's good answer beside the refusals that every route may give. */
export function answers<const Code extends number, Body extends TSchema>(code: Code, body: Body) {
  const good = { [code]: body } as Record<Code, Body>;
  return { ...good, '4xx': Refused, '5xx': FaultBody };
}

/** 202: what was asked for has been taken, or, where a guest was asked, done. The body is empty. */
export const ACCEPTED = Type.Unsafe<undefined>({ description: 'Empty.' });
