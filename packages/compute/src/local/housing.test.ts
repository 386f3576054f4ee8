import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reachableCopy } from '@trove/testkit';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { houseGuests } from './housing.ts';

const isRoot = process.getuid?.() === 0;
const node = reachableCopy(process.execPath);
afterAll(() => node.dispose());
let folder: string;
let checkout: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'housing-'));
  chmodSync(folder, 0o755);
  checkout = join(folder, 'home/project');
  const files = {
    'apps/guestagent/package.json':
      '{"version":"1.2.3","type":"module","dependencies":{"@trove/one":"*","plain":"1.0.0"}}',
    'apps/guestagent/agent.js':
      "import { one } from '@trove/one'; import plain from 'plain'; console.log(one + plain, process.getuid());",
    'packages/one/package.json': '{"type":"module","exports":"./one.js","optionalDependencies":{"elsewhere":"*"}}',
    'packages/one/one.js': "export const one = 'one ';",
    'packages/secret/package.json': '{}',
    'node_modules/plain/package.json': '{"main":"plain.js"}',
    'node_modules/plain/plain.js': "module.exports = 'plain';",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(checkout, name, '..'), { recursive: true });
    writeFileSync(join(checkout, name), text, { mode: 0o600 });
  }
  mkdirSync(join(checkout, 'node_modules/@trove'));
  symlinkSync('../../packages/one', join(checkout, 'node_modules/@trove/one'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const house = () =>
  houseGuests({
    ...{ root: join(checkout, '.trove/instances'), user: 'nobody', node: node.path },
    ...{ checkout, stateDir: join(folder, 'var') },
  });

test('where every folder is open, all stays where it was asked for', () => {
  const housing = house();
  expect(housing).toMatchObject({ root: join(checkout, '.trove/instances'), notices: [] });
  expect(housing.reachable(join(checkout, 'apps/guestagent/agent.js'))).toBe(
    join(checkout, 'apps/guestagent/agent.js'),
  );
  expect(existsSync(join(folder, 'var'))).toBe(false);
});

test('as root, state and programs go where the guest account can reach them when a folder above is closed, and it is said', () => {
  chmodSync(join(folder, 'home'), 0o700);
  const housing = house();
  if (!isRoot) {
    expect(housing.account).toBeUndefined();
    return;
  }
  expect(housing.notices).toHaveLength(2);
  expect(housing.root).toMatch(/\/var\/trove-[0-9a-f]{8}$/);
  expect(statSync(housing.root).mode & 0o777).toBe(0o755);
  const program = housing.reachable(join(checkout, 'apps/guestagent/agent.js'));
  const ran = spawnSync(housing.reachable(node.path), [program], {
    uid: housing.account?.uid,
    gid: housing.account?.gid,
    cwd: '/',
    encoding: 'utf8',
  });
  expect(ran.stdout).toBe(`one plain ${housing.account?.uid}\n`);
  expect(existsSync(join(housing.reachable(checkout), 'packages/secret')), 'only what an agent needs is copied').toBe(
    false,
  );
  expect(house().reachable(checkout), 'the same content is copied once').toBe(housing.reachable(checkout));
  writeFileSync(join(checkout, 'packages/one/one.js'), "export const one = 'changed ';");
  expect(house().reachable(checkout)).not.toBe(housing.reachable(checkout));
});
