import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testCatalog } from '@trove/catalog/testing';
import { freePort, startServiceProgram } from '@trove/testkit';
import { afterAll, expect, test, vi } from 'vitest';

// Each start is a process of its own, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'trove-api-'));
writeFileSync(join(folder, 'tokens.json'), '{"tokens":[]}', { mode: 0o600 });
afterAll(() => rmSync(folder, { recursive: true }));

const PORT = await freePort();
const CONFIG = `[DEFAULT]
transport_url = rabbit://nobody:x@127.0.0.1:1/
taskmanager_rpc_encr_key = k1-of-a-test
bind_host = 127.0.0.1
bind_port = ${PORT}
[static_auth]
tokens_file = ${folder}/tokens.json
[compute_local]
root = $folder/instances
`;

const run = (connection: string) =>
  startServiceProgram(
    join(import.meta.dirname, '../bin/trove-api.js'),
    `${CONFIG}[database]\nconnection = ${connection}`,
  );

test('a catalog below its version ends the start with what to run; one that does not answer is waited for', async () => {
  const catalog = await testCatalog('mysql', 0);
  const refused = run(catalog.connection);
  expect(await refused.ended()).toBe(1);
  expect(refused.output()).toContain('run "trove-manage db_sync" first');
  await catalog.dispose();
  const program = run('mysql://nobody:x@127.0.0.1:1/trove');
  expect(await program.started()).toContain(`trove-api ready on http://127.0.0.1:${PORT}`);
  const answer = await fetch(`http://127.0.0.1:${PORT}/healthcheck`);
  expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('"catalog"')]);
  expect(await program.stop()).toBe(0);
});
