import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceRow } from '@trove/catalog';
import { newUuid } from '@trove/common';
import type { Ground } from '../ground.ts';
import { SECOND } from './fault.ts';

/** An instance that no tenant knows of, so that what a fault does to its disks loses nobody's data. */
export class OwnInstance {
  readonly id: string;
  readonly #ground: Ground;

  private constructor(ground: Ground, id: string) {
    this.#ground = ground;
    this.id = id;
  }

  /** Made by the api, and ACTIVE. Rejects where that is not so in time. */
  static async create(ground: Ground, withinSeconds: number): Promise<OwnInstance> {
    const body = {
      instance: {
        ...{ name: `own-${newUuid()}`, flavorRef: '25', volume: { size: 1 } },
        datastore: { type: 'postgresql', version: '18.4' },
      },
    };
    const { instance } = (await send(ground, 'POST', '', body)) as { instance: { id: string } };
    const own = new OwnInstance(ground, instance.id);
    await own.untilActive(withinSeconds);
    return own;
  }

  async act(body: Readonly<Record<string, unknown>>): Promise<void> {
    await send(this.#ground, 'POST', `/${this.id}/action`, body);
  }

  /** Serving, and no task has it. */
  async untilActive(withinSeconds: number): Promise<void> {
    await until(`instance ${this.id} is ACTIVE`, withinSeconds, async () => {
      const row = await this.#ground.catalog.knex<InstanceRow>('instances').where({ id: this.id }).first();
      if (row?.server_status === 'ERROR') throw new Error(`instance ${this.id} came to nothing`);
      return row?.server_status === 'ACTIVE' && row.active_task_id === null;
    });
  }

  /** The boot that its reports are measured by, and whether it is in quarantine. */
  async reports(): Promise<{ boot: string | null; quarantined: boolean }> {
    const row: { boot_nonce: string | null; quarantined_at: unknown } | undefined = await this.#ground.catalog
      .knex('instance_reports')
      .where({ instance_id: this.id })
      .first('boot_nonce', 'quarantined_at');
    return { boot: row?.boot_nonce ?? null, quarantined: (row?.quarantined_at ?? null) !== null };
  }
}

/** Asked twice a second. Rejects where it is not so in time. */
export async function until(what: string, withinSeconds: number, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + withinSeconds * SECOND;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${withinSeconds} s: ${what}`);
    await delay(0.5 * SECOND);
  }
}

/** Sent under one `Idempotency-Key` until it is answered, for 20 s. */
async function send({ apiUrls, token }: Ground, method: string, path: string, body: unknown): Promise<unknown> {
  const headers = { 'x-auth-token': token, 'content-type': 'application/json', 'idempotency-key': newUuid() };
  for (let attempt = 0; ; attempt += 1) {
    const url = `${apiUrls[attempt % apiUrls.length]}/instances${path}`;
    const signal = AbortSignal.timeout(10 * SECOND);
    const answer = await fetch(url, { method, headers, body: JSON.stringify(body), signal }).catch(() => undefined);
    if (answer?.ok) return answer.status === 200 ? await answer.json() : undefined;
    if (attempt > 20 || (answer !== undefined && answer.status < 500))
      throw new Error(`${method} ${path} was answered with ${answer?.status}: ${await answer?.text()}`);
    await delay(SECOND);
  }
}
