import type { TappedMessage } from './outside.ts';

/** What anybody can tell of a message without a key. */
export interface ReadMessage {
  readonly routingKey: string;
  readonly exchange: string;
  /** The bytes as text, for looking for names in them. */
  readonly text: string;
  /** Sender and receiver of a sealed envelope, as its clear header has them: `role:uuid`. */
  readonly sealed: { readonly kind: number; readonly sender: string; readonly receiver: string } | undefined;
  /** The method of Trove's message in clear. */
  readonly method: string | undefined;
}

const ROLES = ['?', 'api', 'taskmanager', 'conductor', 'guest'];
const HEADER_BYTES = 210;

export function readMessage(message: TappedMessage): ReadMessage {
  const body = Buffer.from(message.body, 'base64');
  const sealed = readSealed(body);
  return {
    routingKey: message.routingKey,
    exchange: message.exchange,
    text: body.toString('latin1'),
    sealed,
    method: sealed === undefined ? clearMethod(body.toString('utf8')) : undefined,
  };
}

/** Offsets are those of the wire format's table: kind at 6, sender at 12, receiver at 29. */
function readSealed(body: Buffer): ReadMessage['sealed'] {
  if (body.length < HEADER_BYTES || body.toString('latin1', 0, 4) !== 'TRV2') return undefined;
  return { kind: body.readUInt8(6), sender: party(body.subarray(12, 29)), receiver: party(body.subarray(29, 46)) };
}

function party(bytes: Buffer): string {
  const hex = bytes.toString('hex', 1);
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  return `${ROLES[bytes.readUInt8(0)] ?? '?'}:${uuid}`;
}

function clearMethod(text: string): string | undefined {
  try {
    const envelope = JSON.parse(text) as { 'oslo.message'?: string };
    const message = JSON.parse(envelope['oslo.message'] ?? '{}') as { method?: unknown };
    return typeof message.method === 'string' ? message.method : undefined;
  } catch {
    return undefined;
  }
}

/** Messages to, from or about one instance: by the envelope's header, else by what the clear text names. */
export function messagesOf(messages: readonly ReadMessage[], instanceId: string): ReadMessage[] {
  return messages.filter(
    ({ sealed, text, routingKey }) =>
      sealed?.sender === `guest:${instanceId}` ||
      sealed?.receiver === `guest:${instanceId}` ||
      (sealed === undefined && (text.includes(instanceId) || routingKey.includes(instanceId))),
  );
}
