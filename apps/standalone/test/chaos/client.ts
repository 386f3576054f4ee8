import { setTimeout as delay } from 'node:timers/promises';
import { oneOf, type Random } from '@trove/testkit';
import type { Ground } from './ground.ts';

type Body = Readonly<Record<string, unknown>>;

export interface Sent {
  readonly id: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly body?: Body;
}

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, Body>>;
}

/** What is kept of a request that is sent. */
export interface SentUnder {
  readonly key: string;
  sent: number;
  askedAt: number;
}

const ATTEMPT_MS = 15_000;

/** A client of all apis, each request to any of them. */
export class Client {
  readonly #ground: Pick<Ground, 'apiUrls' | 'token'>;
  readonly #random: Random;

  constructor(ground: Pick<Ground, 'apiUrls' | 'token'>, random: Random) {
    this.#ground = ground;
    this.#random = random;
  }

  async sendUntilAnswered(what: Sent, entry: SentUnder): Promise<Answer> {
    for (;;) {
      const answer = await this.send(what, entry).catch(() => undefined);
      if (answer !== undefined && answer.status < 500 && answer.status !== 429) return answer;
      await delay(200 + this.#random() * 800);
    }
  }

  async send({ id, method, path, body }: Sent, entry: SentUnder): Promise<Answer> {
    entry.sent += 1;
    entry.askedAt = Date.now();
    const base = oneOf(this.#random, this.#ground.apiUrls);
    const response = await fetch(`${base}/instances${id === undefined ? '' : `/${id}`}${path}`, {
      method,
      headers: {
        'x-auth-token': this.#ground.token,
        'idempotency-key': entry.key,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ATTEMPT_MS),
    });
    const text = await response.text();
    const parsed = text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : {};
    return { status: response.status, body: parsed };
  }
}

export function idOf({ body }: Answer): string | undefined {
  const id = body['instance']?.['id'];
  return typeof id === 'string' ? id : undefined;
}
