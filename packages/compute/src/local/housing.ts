import { mkdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '@trove/common';
import { type Account, guestAccount } from './account.ts';
import { copyRuntime } from './runtime_copy.ts';

export interface HousingOptions {
  /** `[compute_local] root` */
  readonly root: string;
  /** `[compute_local] user` */
  readonly user: string;
  /** The Node that guests run on; default: the one that runs us. */
  readonly node?: string;
  /** The folder of this project; default: the one that this file is in. */
  readonly checkout?: string;
  /** Where things go that guests could not reach elsewhere; default `/var/lib/trove`. */
  readonly stateDir?: string;
}

/** Where guests live, such that the account that they run as can get there. */
export interface Housing {
  /** Undefined where we are not root: guests run as we do. */
  readonly account: Account | undefined;
  /** The root of local compute: as asked for, or under the state folder. */
  readonly root: string;
  /** The path by which the guests' account reaches a program of ours: as given, or that of a copy. */
  readonly reachable: (path: string) => string;
  /** What the operator should read in the first line of output; none where all is where it was asked for. */
  readonly notices: readonly string[];
}

const STATE_DIR = '/var/lib/trove';
const CHECKOUT = fileURLToPath(new URL('../../../../', import.meta.url));

/**
 * As root, guests run as another account. Where a folder above the state or above the project is closed to it (`/root`),
 * the state goes to `/var/lib/trove/<name>`, and programs and sources are copied to `/var/lib/trove/runtime/<version>`.
 */
export function houseGuests(options: HousingOptions): Housing {
  const account = guestAccount(options.user);
  const root = resolve(options.root);
  if (account === undefined) return { account, root, reachable: (path) => path, notices: [] };
  const stateDir = options.stateDir ?? STATE_DIR;
  const checkout = resolve(options.checkout ?? CHECKOUT);
  const node = options.node ?? process.execPath;
  const isStateOpen = mayReach(dirname(root), account);
  const isCheckoutOpen = mayReach(checkout, account) && mayReach(node, account);
  const housed = isStateOpen ? root : join(stateDir, nameOf(root));
  const runtime = isCheckoutOpen
    ? undefined
    : copyRuntime({ checkout, node, into: makeOpenFolder(join(stateDir, 'runtime')) });
  return {
    account,
    root: isStateOpen ? root : makeOpenFolder(housed),
    reachable: (path) =>
      runtime === undefined || mayReach(path, account) ? path : inCopy(path, { checkout, node, runtime }),
    notices: [
      ...(isStateOpen ? [] : [`instances are kept in ${housed}: the account ${account.name} cannot enter ${root}`]),
      ...(runtime === undefined
        ? []
        : [`guests run from the copy ${runtime}: the account ${account.name} cannot enter ${checkout}`]),
    ],
  };
}

/** Every folder that a root as the operator wrote it may have led to; looks at nothing. */
export function possibleRoots(root: string): readonly string[] {
  const asked = resolve(root);
  return [asked, join(STATE_DIR, nameOf(asked))];
}

/** Whether the account can come to this path: every folder on the way lets it through. What is missing does not stop it. */
function mayReach(path: string, account: Account): boolean {
  const parent = dirname(path);
  if (parent !== path && !mayReach(parent, account)) return false;
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return true;
  const shift = found.uid === account.uid ? 6 : found.gid === account.gid ? 3 : 0;
  return ((found.mode >> shift) & 1) === 1;
}

function inCopy(path: string, copy: { checkout: string; node: string; runtime: string }): string {
  const { checkout, node, runtime } = copy;
  const inside = relative(checkout, path);
  if (!inside.startsWith('..') && !isAbsolute(inside)) return join(runtime, inside);
  return path === node ? join(runtime, 'bin/node') : path;
}

/** The same root always gets the same name, and another root another. */
function nameOf(root: string): string {
  return `${basename(dirname(root)).replace(/[^A-Za-z0-9_-]/g, '')}-${sha256(root).toString('hex').slice(0, 8)}`;
}

function makeOpenFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  return path;
}
