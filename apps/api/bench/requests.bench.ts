import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type Contender, loadFor, type Measurement, measure } from '@trove/testkit/bench';
import { Agent, request } from 'undici';
import type { ServedApi } from './served_api.ts';

const ROUND_MS = 2000;
const ROUNDS = 3;

/** Requests to one api process over keep-alive connections; the baseline is fastify alone, answering a stored list. */
export async function benchRequests(): Promise<Measurement[]> {
  const child = fork(new URL('./served_api.ts', import.meta.url).pathname);
  const [served] = (await once(child, 'message')) as [ServedApi];
  try {
    const measurements: Measurement[] = [];
    for (const inFlight of [1, 16, 64]) {
      measurements.push(
        await measure({
          name: `requests, ${inFlight} in flight`,
          conditions: `1,000 instances, one api process, MariaDB, keep-alive, ${ROUND_MS} ms a round`,
          rounds: ROUNDS,
          contenders: contenders(served, inFlight),
        }),
      );
    }
    await checkBooks(child);
    return measurements;
  } finally {
    child.kill();
  }
}

function contenders(served: ServedApi, inFlight: number): Contender[] {
  const agent = new Agent({ connections: inFlight });
  const below = `${served.url}/v1.0/${served.project}/instances`;
  const get = (url: string) => () => ask(agent, url, served.token);
  let next = 0;
  const create = () => {
    const creator = served.creators[next++ % served.creators.length] ?? served;
    return ask(agent, `${served.url}/v1.0/${creator.project}/instances`, creator.token, newInstance());
  };
  return [
    { name: 'fastify alone', run: () => loadFor(ROUND_MS, inFlight, get(`${served.bareUrl}/`)) },
    { name: 'GET list of 20', run: () => loadFor(ROUND_MS, inFlight, get(below)) },
    { name: 'GET show', run: () => loadFor(ROUND_MS, inFlight, get(`${below}/${served.instanceId}`)) },
    { name: 'POST create', run: () => loadFor(ROUND_MS, inFlight, create) },
  ];
}

async function ask(dispatcher: Agent, url: string, token: string, body?: string): Promise<void> {
  const answer = await request(url, {
    dispatcher,
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'x-auth-token': token, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body }),
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}: ${text}`);
}

function newInstance(): string {
  return JSON.stringify({
    instance: { name: 'created', flavorRef: 25, volume: { size: 1 }, datastore: { type: 'mysql', version: '5.7' } },
  });
}

/** Every instance that was accepted is in the quota books, and nothing else is. */
async function checkBooks(child: ChildProcess): Promise<void> {
  child.send('stop');
  const [{ books }] = (await once(child, 'message')) as [{ books: { counted: number; instances: number } }];
  if (books.counted !== books.instances) {
    throw new Error(`the quota books count ${books.counted} instances, and there are ${books.instances}`);
  }
}
