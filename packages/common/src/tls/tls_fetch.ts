import { TroveError } from '../errors.ts';
import type { TlsClient } from './tls_client.ts';

export interface PlainRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface PlainResponse {
  readonly status: number;
  readonly ok: boolean;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
  json(): Promise<unknown>;
}

/** `fetch` as far as plain JSON services need it. */
export type PlainFetch = (url: string, request?: PlainRequest) => Promise<PlainResponse>;

export interface TlsFetch {
  readonly fetch: PlainFetch;
  close(): Promise<void>;
}

/**
 * A `fetch` that checks servers against the client's authorities and nothing else. A refused server rejects with
 * `TroveError` `code`, whose message has host, file and reason; other failures reject as `fetch` does. Close it after use.
 */
export async function createTlsFetch(
  tls: TlsClient,
  code: 'BUS_UNAVAILABLE' | 'COMPUTE_ERROR' | 'INTERNAL' = 'INTERNAL',
): Promise<TlsFetch> {
  // Loaded where it is needed: a command that speaks plain HTTP starts without it.
  const { Agent, fetch } = await import('undici');
  const agent = new Agent({ connect: { ...tls.connectOptions } });
  return {
    fetch: async (url, request = {}) => {
      try {
        return await fetch(url, { ...request, dispatcher: agent });
      } catch (error) {
        const { hostname, port } = new URL(url);
        const where = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) };
        const told = tls.explain(error, where);
        throw told === undefined ? error : new TroveError(code, told, { retryable: true, cause: error });
      }
    },
    close: () => agent.close(),
  };
}
