import { createLogger, TroveError } from '@trove/common';
import { taskmanagerApi } from '@trove/contracts';
import { expect, test } from 'vitest';
import { dispatch } from './dispatch.ts';
import type { Caller } from './types.ts';

const caller: Caller = {
  role: 'api',
  messageId: 'm',
  context: {},
  fence: null,
  idempotencyKey: null,
  expiresMs: null,
  legacy: false,
};

async function loggedFor(error: Error): Promise<{ level: string; text: string }> {
  const lines: string[] = [];
  const logger = createLogger({ service: 'test', level: 'debug', stream: { write: (line) => lines.push(line) } });
  const handlers = {
    delete_database: async () => {
      throw error;
    },
  };
  const outcome = await dispatch(handlers, taskmanagerApi.delete_database, {}, caller, logger);
  expect(outcome).toHaveProperty('error');
  const [text = ''] = lines;
  return { level: (JSON.parse(text) as { level: string }).level, text };
}

test('a refusal that is an answer is no warning and has no stack; what failed here is one, with its cause', async () => {
  const refused = await loggedFor(new TroveError('DATABASE_NOT_FOUND', 'The database cannot be found.'));
  expect(refused.level).toBe('info');
  expect(refused.text).not.toContain('stack');
  const failed = await loggedFor(new TroveError('GUEST_ERROR', 'It failed.', { cause: new Error('disk full') }));
  expect(failed.level).toBe('warn');
  expect(failed.text).toContain('disk full');
  expect((await loggedFor(new Error('a mistake'))).level).toBe('warn');
});
