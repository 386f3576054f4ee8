import { randomBytes } from 'node:crypto';

export interface TestBroker {
  /** `amqp://user:password@host:port/vhost`, the vhost being this caller's own. */
  url: string;
  /** The vhost's name, for the management API. */
  vhost: string;
  /** `http://user:password@host:port`: the management API, as an administrator. */
  managementUrl: string;
  /** Removes the vhost with all that is in it and the accounts made for it, closing its connections. */
  dispose(): Promise<void>;
}

const DEFAULT_MANAGEMENT_PORT = 15672;

/**
 * A vhost of one's own on the broker of `TROVE_TEST_AMQP_URL`, whose account can make vhosts and whose management plugin
 * answers on the port of `?management_port=` (15672 unless given).
 */
export async function testBroker(env: NodeJS.ProcessEnv = process.env): Promise<TestBroker> {
  const text = env['TROVE_TEST_AMQP_URL'];
  if (!text)
    throw new Error(
      'TROVE_TEST_AMQP_URL is not set: run "npm test", or "node scripts/test_servers.ts" and what it prints',
    );
  const server = new URL(text);
  const port = server.searchParams.get('management_port') ?? DEFAULT_MANAGEMENT_PORT;
  const management = new Management(server, `http://${server.hostname}:${port}`);
  const vhost = `test-${randomBytes(6).toString('hex')}`;
  await management.request('PUT', `/api/vhosts/${vhost}`);
  const user = server.username;
  await management.request('PUT', `/api/permissions/${vhost}/${user}`, { configure: '.*', write: '.*', read: '.*' });
  return {
    url: `amqp://${server.username}:${server.password}@${server.host}/${vhost}`,
    vhost,
    managementUrl: `http://${server.username}:${server.password}@${server.hostname}:${port}`,
    dispose: async () => {
      const entries = await management.read<{ user: string }[]>(`/api/vhosts/${vhost}/permissions`);
      const made = entries.map((entry) => entry.user).filter((name) => name !== decodeURIComponent(user));
      if (made.length > 0) await management.request('POST', '/api/users/bulk-delete', { users: made });
      await management.request('DELETE', `/api/vhosts/${vhost}`);
    },
  };
}

class Management {
  readonly #base: string;
  readonly #authorization: string;

  constructor(server: URL, base: string) {
    this.#base = base;
    const account = `${decodeURIComponent(server.username)}:${decodeURIComponent(server.password)}`;
    this.#authorization = `Basic ${Buffer.from(account).toString('base64')}`;
  }

  /** An empty list where there is no such thing. */
  async read<Answer extends unknown[]>(path: string): Promise<Answer | []> {
    const response = await fetch(this.#base + path, { headers: { authorization: this.#authorization } });
    const text = await response.text();
    return response.ok ? (JSON.parse(text) as Answer) : [];
  }

  async request(method: 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<void> {
    const response = await fetch(this.#base + path, {
      method,
      headers: { authorization: this.#authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const gone = method === 'DELETE' && response.status === 404;
    if (!response.ok && !gone)
      throw new Error(`RabbitMQ's management API answered ${method} ${path} with ${response.status}: ${text}`);
  }
}
