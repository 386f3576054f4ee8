import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const workspaces = globSync(['apps/*', 'packages/*', 'migrations'], { cwd: root });

/** The repository's workspaces with their manifests, tags and rules, and nothing in their sources. */
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-boundaries-'));
  for (const file of ['package.json', 'package-lock.json', 'turbo.json']) cpSync(join(root, file), join(folder, file));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const workspace of workspaces) {
    mkdirSync(join(folder, workspace, 'src'), { recursive: true });
    for (const file of ['package.json', 'turbo.json'])
      cpSync(join(root, workspace, file), join(folder, workspace, file));
    writeFileSync(join(folder, workspace, 'src/index.ts'), 'export {};\n');
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

async function boundaries(): Promise<{ passed: boolean; output: string }> {
  const env = {
    ...process.env,
    PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}`,
    TURBO_TELEMETRY_DISABLED: '1',
  };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'scripts/boundaries.ts')], {
      cwd: folder,
      env,
    });
    return { passed: true, output: stdout };
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return { passed: false, output: stdout + stderr };
  }
}

function plantImport(workspace: string, imported: string, declared: boolean): void {
  writeFileSync(join(folder, workspace, 'src/index.ts'), `import '${imported}';\n`);
  if (!declared) return;
  const file = join(folder, workspace, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { dependencies?: Record<string, string> };
  writeFileSync(file, JSON.stringify({ ...manifest, dependencies: { ...manifest.dependencies, [imported]: '*' } }));
}

test('the workspaces as they are pass', async () => {
  expect(await boundaries()).toMatchObject({ passed: true });
});

test.each([
  ['a package below an app', 'packages/common', '@trove/contracts'],
  ['a package of the same level', 'packages/catalog', '@trove/crypto-rpc'],
  ['a package of the same level, the other way', 'packages/crypto-rpc', '@trove/catalog'],
  ['a driver another driver', 'packages/compute', '@trove/datastores'],
  ['a contract the catalog', 'packages/contracts', '@trove/catalog'],
  ['an app another app', 'apps/api', '@trove/taskmanager'],
  ['the guest the catalog', 'apps/guestagent', '@trove/catalog'],
  ['the guest the compute drivers', 'apps/guestagent', '@trove/compute'],
  ['the guest the task engine', 'apps/guestagent', '@trove/tasks'],
  ['the guest who is asking', 'apps/guestagent', '@trove/identity'],
  ['the client the bus', 'apps/cli', '@trove/crypto-rpc'],
  ['a migration the catalog', 'migrations', '@trove/contracts'],
])('%s must not import, even where it is declared', async (_, workspace, imported) => {
  plantImport(workspace, imported, true);
  expect(await boundaries()).toMatchObject({ passed: false, output: expect.stringContaining(imported) });
});

test('what is not declared cannot be imported', async () => {
  plantImport('packages/contracts', 'knex', false);
  expect(await boundaries()).toMatchObject({ passed: false, output: expect.stringContaining('knex') });
});

test('a run that sees no file does not pass', async () => {
  for (const workspace of workspaces) rmSync(join(folder, workspace), { recursive: true });
  expect((await boundaries()).passed).toBe(false);
});
