import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testCatalog } from '@trove/catalog/testing';
import { freePort, testBroker } from '@trove/testkit';

/** How one process is started, and at which line on its standard output it is ready. */
export interface Program {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly readyLine: string;
}

const APPS = join(import.meta.dirname, '../..');
const KEYS = `taskmanager_rpc_encr_key = k1-of-the-benchmark
inst_rpc_key_encr_key = kek-of-the-benchmark`;

/** The services' programs, configured in `folder` against a broker and a migrated catalog of their own. */
export async function servicePrograms(folder: string): Promise<{ programs: Program[]; dispose(): Promise<void> }> {
  const [broker, catalog] = await Promise.all([testBroker(), testCatalog('mysql')]);
  writeFileSync(join(folder, 'tokens.json'), '{"tokens":[]}', { mode: 0o600 });
  const common = `[DEFAULT]
transport_url = ${broker.url}
${KEYS}
bind_host = 127.0.0.1
bind_port = ${await freePort()}
[database]
connection = ${catalog.connection}
[static_auth]
tokens_file = ${folder}/tokens.json
[compute_local]
root = ${folder}/instances
user = nobody`;
  const service = (name: string, files: readonly string[]): Program => ({
    name: `trove-${name}`,
    args: [join(APPS, name, `bin/trove-${name}.js`), ...files.flatMap((file) => ['--config-file', file])],
    env: process.env,
    readyLine: `trove-${name} ready`,
  });
  const file = writeConfig(folder, 'trove.conf', common);
  const home = { TROVE_HOME: join(folder, 'home'), TROVE_BIND_PORT: String(await freePort()) };
  return {
    programs: [
      ...['api', 'taskmanager', 'conductor'].map((name) => service(name, [file])),
      { ...service('standalone', []), env: { ...process.env, ...home } },
    ],
    dispose: async () => {
      await Promise.all([broker.dispose(), catalog.dispose()]);
    },
  };
}

function writeConfig(folder: string, name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return file;
}
