import { type Catalog, dbNow, ensureReportRow, insertInstance, wantHello, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, TroveError } from '@trove/common';
import type { Json, StepContext } from '@trove/tasks';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { askGuest, Unheard } from './ask_guest.ts';
import type { TaskTools } from './tools.ts';

const SECOND_US = 1_000_000;

/** From the first question to the last, microseconds. */
function spanOf(noted: Json | undefined): number {
  const { first_asked, last_asked } = noted as { first_asked: number; last_asked: number };
  return last_asked - first_asked;
}

describe.each(['mysql', 'sqlite'] as const)('a guest that is waited for, on %s', (dialect) => {
  let catalog: TestCatalog;
  let id: string;
  let noted: Json | undefined;
  let tools: TaskTools;
  /** The deadline of each question, milliseconds. */
  let asked: number[];
  beforeAll(async () => {
    catalog = await testCatalog(dialect);
  });
  afterAll(() => catalog.dispose());
  beforeEach(async () => {
    [id, noted, asked] = [newUuid(), undefined, []];
    tools = { catalog, settings: { lowMs: 60_000 }, unheard: new Unheard() } as unknown as TaskTools;
    const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, region_id: null, access: null };
    await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row, datastore_version_id: null }));
    await withTransaction(catalog, (tx) => ensureReportRow(tx, id));
  });

  const silent = async (): Promise<never> => {
    throw new TroveError('GUEST_TIMEOUT', 'Timeout trying to connect to the Guest Agent.', { retryable: true });
  };

  function ask<T>(answer: () => Promise<T>): Promise<T | undefined> {
    const context = {
      task: { instanceId: id },
      noted,
      note: async (value: Json) => void (noted = value),
    } as unknown as StepContext;
    return askGuest(tools, context, (deadlineMs) => {
      asked.push(deadlineMs);
      return answer();
    });
  }

  /** As if the questions until now had been asked so long ago. */
  async function passes(seconds: number): Promise<void> {
    const { first_asked, last_asked } = noted as { first_asked: number; last_asked: number };
    noted = { first_asked: first_asked - seconds * SECOND_US, last_asked: last_asked - seconds * SECOND_US };
  }

  async function reports({ knex }: Catalog): Promise<void> {
    // After the last question also where the database counts in milliseconds.
    await passes(0.001);
    await knex('instance_reports')
      .where({ instance_id: id })
      .update({ received_at: dbNow(knex) });
  }

  test('is asked at first, shortly; what it answers is the answer, and nothing is noted', async () => {
    expect(await ask(async () => 'here')).toBe('here');
    expect([asked, noted]).toEqual([[1000], undefined]);
  });

  test('is given longer where its boot has been heard of', async () => {
    await wantHello(catalog.knex, id);
    await ask(silent);
    expect(asked).toEqual([2000]);
  });

  test('that is silent is not asked again at once; the longer it is silent, the more rarely, and at least every 15 s', async () => {
    const looks = async (): Promise<number> => {
      const before = asked.length;
      await ask(silent);
      return asked.length - before;
    };
    expect([await looks(), await looks()]).toEqual([1, 0]);
    await passes(1);
    expect([await looks(), await looks()]).toEqual([1, 0]);
    await passes(9);
    expect([await looks(), await looks()]).toEqual([1, 0]);
    await passes(4);
    expect(await looks()).toBe(0);
    for (const seconds of [60, 60, 60]) {
      await passes(seconds);
      expect(await looks()).toBe(1);
    }
    await passes(14);
    expect(await looks()).toBe(0);
    await passes(1);
    expect(await looks()).toBe(1);
    // Where all is slow there is time for a slow answer.
    expect(asked.at(-1)).toBe(5000);
  });

  test('where nobody was there to ask for two minutes its silence begins anew with the next question', async () => {
    await ask(silent);
    await passes(119);
    await ask(silent);
    expect(spanOf(noted)).toBeGreaterThan(118 * SECOND_US);
    await passes(121);
    await ask(silent);
    expect([spanOf(noted), asked.at(-1)]).toEqual([0, 1000]);
  });

  test('is asked as soon as it reports, whatever was asked before, once for each report', async () => {
    await ask(silent);
    expect(await ask(silent)).toBeUndefined();
    await reports(catalog);
    await ask(silent);
    await ask(silent);
    expect(asked).toEqual([1000, 2000]);
    await reports(catalog);
    expect(await ask(async () => 'here')).toBe('here');
  });

  test('that answers that it is not done yet is asked again like one that is silent', async () => {
    expect(await ask(async () => undefined)).toBeUndefined();
    expect(await ask(async () => 'done')).toBeUndefined();
    await passes(2);
    expect(await ask(async () => 'done')).toBe('done');
  });

  test('an error of the guest is its answer', async () => {
    const refusal = new TroveError('GUEST_ERROR', 'no');
    await expect(ask(() => Promise.reject(refusal))).rejects.toBe(refusal);
    expect(noted).toBeUndefined();
  });

  test('of many that nothing was heard of two are asked at a time, those that report beside them', async () => {
    const answers = Promise.withResolvers<string>();
    const questions = Array.from({ length: 8 }, () => ask(() => answers.promise));
    await expect.poll(() => asked.length).toBe(2);
    await wantHello(catalog.knex, id);
    questions.push(ask(() => answers.promise));
    await expect.poll(() => asked).toEqual([1000, 1000, 2000]);
    answers.resolve('here');
    expect((await Promise.all(questions)).filter((answer) => answer === 'here')).toHaveLength(3);
    expect(await ask(async () => 'here')).toBe('here');
  });
});
