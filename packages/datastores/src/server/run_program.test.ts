import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProgram } from './run_program.ts';

test("a database's programs have a folder for temporary files of their own: a starting MariaDB empties a shared one", async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'run-program-'));
  try {
    expect(await runProgram('/usr/bin/env', [], { cwd })).toContain(`TMPDIR=${cwd}\n`);
  } finally {
    rmSync(cwd, { recursive: true });
  }
});
