import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { findPostgresInstallations, inspectPostgresFolder } from './installations.ts';

/** The npm package as `npm ci --ignore-scripts` leaves it: without its links. */
function copyWithoutLinks(binDir: string, folder: string): string {
  const native = dirname(binDir);
  cpSync(native, join(folder, 'native'), {
    recursive: true,
    filter: (source) => !/\/(share|libicudata[^/]*|[^/]*\.a)$/.test(source),
    verbatimSymlinks: true,
  });
  for (const entry of readdirSync(join(folder, 'native/lib'), { withFileTypes: true })) {
    if (entry.isSymbolicLink()) rmSync(join(folder, 'native/lib', entry.name));
  }
  cpSync(join(native, 'lib/libicudata.so.60.2'), join(folder, 'native/lib/libicudata.so.60.2'));
  return join(folder, 'native/bin');
}

test('a PostgreSQL from npm loads where its install script was not run', async () => {
  const [fromNpm] = await findPostgresInstallations();
  if (fromNpm === undefined) throw new Error('npm brings a PostgreSQL');
  const folder = mkdtempSync(join(tmpdir(), 'libraries-'));
  try {
    const binDir = copyWithoutLinks(fromNpm.binDir, folder);
    expect(await inspectPostgresFolder(binDir)).toEqual({ ...fromNpm, binDir });
    expect(await inspectPostgresFolder(join(folder, 'native/lib'))).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
