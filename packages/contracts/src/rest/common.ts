import { Type } from 'typebox';

/** Schemas that several REST resources share. Times are UTC without a zone or fractions: `2024-05-01T10:20:30`. */
export const Timestamp = Type.String();

/**
 * Text or null in an answer. Written as one type with two names, which a prepared serialiser writes at once; a union it would
 * have to validate first, for every value.
 */
export const NullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] });

export const Links = Type.Array(Type.Object({ rel: Type.String(), href: Type.String() }));

/** Trove's own `str`: 1–255 characters with at least one ASCII letter or digit. */
export const TroveString = Type.String({ minLength: 1, maxLength: 255, pattern: '[0-9A-Za-z]' });

export const AnyCaseUuid = Type.String({
  pattern: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$',
});

/** Query of every list. Both are text in a URL; a limit that is no number is refused where it is read. */
export const PageQuery = {
  limit: Type.Optional(Type.String()),
  marker: Type.Optional(Type.String()),
};

const Fault = Type.Object({ code: Type.Integer(), message: Type.String() });

/** What a controller answers to a request that it refuses: one member, named by the HTTP code. */
export const FaultBody = Type.Record(Type.String(), Fault);

/** What is answered where a request is refused before a controller has seen it and the client accepts JSON. */
export const PlainFaultBody = Type.Object({ code: Type.String(), title: Type.String(), message: Type.String() });

/** Trove's names of the HTTP codes in a fault's body. */
export const FAULT_NAMES: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflict',
  413: 'overLimit',
  415: 'badMediaType',
  422: 'unprocessableEntity',
  500: 'instanceFault',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};
