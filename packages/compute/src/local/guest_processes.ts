import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type ProcessIdentity, processRuns, signalProcess, TroveError, waitForExit } from '@trove/common';
import type { Account } from './account.ts';
import { readGuestFile } from './guest_file.ts';

const IDENTITY_LIMIT = 4096;
const STOP_SIGNALS: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGTERM', 15_000],
  ['SIGINT', 45_000],
  ['SIGKILL', 10_000],
];

/**
 * What a guest left running beside its agent: programs that live on write `<root>/run/<name>.process` (pid and start time),
 * as the datastores' servers do. Where guests have an account of their own only its processes count, since the guest could write any number there.
 */
export function guestProcesses(rootDir: string, account: Account | undefined): readonly ProcessIdentity[] {
  const folder = join(rootDir, 'run');
  const names = listFolder(folder).filter((name) => name.endsWith('.process'));
  const identities = names.map((name) => readIdentity(join(folder, name)));
  return identities.filter((one) => one !== undefined).filter((one) => processRuns(one) && belongsTo(one, account));
}

/** Ends them as a machine that is switched off does: asked first, then made. */
export async function stopGuestProcesses(rootDir: string, account: Account | undefined): Promise<void> {
  for (const identity of guestProcesses(rootDir, account)) await stopOne(identity);
}

async function stopOne(identity: ProcessIdentity): Promise<void> {
  for (const [signal, patienceMs] of STOP_SIGNALS) {
    signalProcess(identity, signal);
    if (await waitForExit(identity, patienceMs)) return;
  }
  throw new TroveError('COMPUTE_ERROR', 'A process of the server does not end.', { retryable: true });
}

/** What the guest wrote there may be anything; what is no identity counts as none. */
function readIdentity(path: string): ProcessIdentity | undefined {
  try {
    const { pid, started } = JSON.parse(readGuestFile(path, IDENTITY_LIMIT) ?? '{}') as Partial<ProcessIdentity>;
    if (!Number.isSafeInteger(pid) || Number(pid) <= 1 || typeof started !== 'string') return undefined;
    return { pid: Number(pid), started };
  } catch {
    return undefined;
  }
}

function belongsTo(identity: ProcessIdentity, account: Account | undefined): boolean {
  if (account === undefined || process.platform !== 'linux') return true;
  try {
    return statSync(`/proc/${identity.pid}`).uid === account.uid;
  } catch {
    return false;
  }
}

function listFolder(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
