import { isTroveError, type PlainFetch, type PlainResponse, type Secret, TroveError } from '@trove/common';

const ANSWER_WITHIN_MS = 10_000;
const LIST_WITHIN_MS = 120_000;
const NOT_FOUND = 404;

/** JSON over RabbitMQ's HTTP API; paths are relative to `/api/`. */
export interface Management {
  /** Undefined where there is no such thing. */
  get<Answer>(path: string): Promise<Answer | undefined>;
  /** All of something, which may take the broker a while; `signal` gives it up. Rejects with `BUS_UNAVAILABLE` where there is no such list. */
  list<Item>(path: string, signal?: AbortSignal): Promise<readonly Item[]>;
  put(path: string, body: object): Promise<void>;
  post(path: string, body: object): Promise<void>;
  /** Not there is success. */
  delete(path: string): Promise<void>;
}

/** Rejects with `BUS_UNAVAILABLE` (retryable) where nobody answers and at 5xx, `RPC_REFUSED` at any other refusal. */
export function createManagement(url: Secret, fetch: PlainFetch): Management {
  const { origin, pathname, username, password } = new URL(url.reveal());
  const base = `${origin}${pathname.replace(/\/$/, '')}/api/`;
  const account = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(account).toString('base64')}`;

  const ask = async (
    method: string,
    path: string,
    body?: object,
    signal = AbortSignal.timeout(ANSWER_WITHIN_MS),
  ): Promise<PlainResponse> => {
    try {
      return await fetch(base + path, {
        method,
        headers: { authorization, 'content-type': 'application/json' },
        signal,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      if (isTroveError(error)) throw error;
      throw unavailable(error);
    }
  };

  const act = async (method: string, path: string, body?: object): Promise<void> => {
    const response = await ask(method, path, body);
    await response.text();
    if (!response.ok && !(method === 'DELETE' && response.status === NOT_FOUND)) throw refusal(method, response);
  };

  return {
    async get<Answer>(path: string) {
      const response = await ask('GET', path);
      if (response.ok) return (await response.json()) as Answer;
      await response.text();
      if (response.status === NOT_FOUND) return undefined;
      throw refusal('GET', response);
    },
    async list<Item>(path: string, signal?: AbortSignal) {
      const within = AbortSignal.timeout(LIST_WITHIN_MS);
      const either = signal === undefined ? within : AbortSignal.any([signal, within]);
      const response = await ask('GET', path, undefined, either);
      if (response.ok) return (await response.json()) as Item[];
      await response.text();
      throw refusal('GET', response);
    },
    put: (path, body) => act('PUT', path, body),
    post: (path, body) => act('POST', path, body),
    delete: (path) => act('DELETE', path),
  };
}

function refusal(method: string, { status }: PlainResponse): TroveError {
  const cause = new Error(`${method} was answered ${status}`);
  if (status >= 500 || status === NOT_FOUND) return unavailable(cause);
  return new TroveError('RPC_REFUSED', "The broker's management API refused.", { cause });
}

function unavailable(cause: unknown): TroveError {
  return new TroveError('BUS_UNAVAILABLE', "The broker's management API does not answer.", { retryable: true, cause });
}
