import { access, rm, writeFile } from 'node:fs/promises';
import { findBinary } from './find_binary.ts';
import { run } from './server_process.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/** True where `installPackages` can work: Debian or Ubuntu, as root. */
export function canInstallPackages(): boolean {
  return process.getuid?.() === 0 && findBinary('apt-get') !== undefined;
}

/** Installs Debian packages without starting the services they bring. */
export async function installPackages(names: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const ours = await forbidServiceStarts();
  try {
    await run('apt-get', ['update', '-q'], { env });
    await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...names], { env });
  } finally {
    if (ours) await rm(POLICY, { force: true });
  }
}

/** True where the policy file is ours to remove; a machine that has one of its own keeps it. */
async function forbidServiceStarts(): Promise<boolean> {
  try {
    await access(POLICY);
    return false;
  } catch {
    await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    return true;
  }
}
