import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { sha256 } from '@trove/common';

export interface RuntimeCopy {
  readonly checkout: string;
  /** The Node that goes with it. */
  readonly node: string;
  /** The folder that holds one copy per version. */
  readonly into: string;
}

interface Package {
  /** Where Node looks for it, from the checkout: `node_modules/@trove/common`. */
  readonly link: string;
  /** Where it is: `packages/common`. */
  readonly folder: string;
}

const AGENT: Package = { link: 'apps/guestagent', folder: 'apps/guestagent' };

/**
 * Copies what an agent and its database need (the agent, the packages that it depends on, Node) and nothing else. The
 * copy is named by its content and appears at once, so that an older one stays with the guests that run from it.
 */
export function copyRuntime({ checkout, node, into }: RuntimeCopy): string {
  const packages = agentPackages(checkout);
  const target = join(into, versionOf(checkout, packages));
  if (existsSync(target)) return target;
  const partial = `${target}.${process.pid}.partial`;
  rmSync(partial, { recursive: true, force: true });
  for (const { link, folder } of packages) copyPackage(checkout, partial, link, folder);
  copyNode(checkout, node, partial);
  chmodSync(partial, 0o755);
  try {
    renameSync(partial, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
    rmSync(partial, { recursive: true, force: true });
  }
  return target;
}

/** The agent and everything that it depends on, as installed. */
function agentPackages(checkout: string): readonly Package[] {
  const found = new Map<string, Package>([[AGENT.link, AGENT]]);
  const waiting = [AGENT];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    for (const name of dependenciesOf(join(checkout, next.folder))) {
      const dependency = locate(checkout, next.folder, name);
      if (dependency === undefined || found.has(dependency.link)) continue;
      found.set(dependency.link, dependency);
      waiting.push(dependency);
    }
  }
  return [...found.values()];
}

function dependenciesOf(folder: string): readonly string[] {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Partial<
    Record<string, Record<string, string>>
  >;
  return Object.keys({ ...manifest['dependencies'], ...manifest['optionalDependencies'] });
}

/** As Node resolves it: `node_modules` of the folder and of each one above. Another platform's optional package is nowhere. */
function locate(checkout: string, folder: string, name: string): Package | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const link = join(at, 'node_modules', name);
    if (existsSync(join(checkout, link, 'package.json'))) {
      return { link, folder: relative(realpathSync(checkout), realpathSync(join(checkout, link))) };
    }
    if (at === '.') return undefined;
  }
}

function copyPackage(checkout: string, target: string, link: string, folder: string): void {
  const to = join(target, folder);
  if (!existsSync(to)) {
    mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
    execFileSync('cp', ['-a', join(checkout, folder), to]);
    execFileSync('chmod', ['-R', 'a+rX', to]);
  }
  if (link === folder) return;
  const linkPath = join(target, link);
  mkdirSync(dirname(linkPath), { recursive: true, mode: 0o755 });
  symlinkSync(relative(dirname(linkPath), to), linkPath);
}

function copyNode(checkout: string, node: string, target: string): void {
  const inside = relative(checkout, node);
  const to = join(target, inside.startsWith('..') ? 'bin/node' : inside);
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  cpSync(node, to, { dereference: true });
  chmodSync(to, 0o755);
}

/** The agent's own version, and a sum of what would be copied: names, sizes and times, which is quick to take. */
function versionOf(checkout: string, packages: readonly Package[]): string {
  const manifest = JSON.parse(readFileSync(join(checkout, AGENT.folder, 'package.json'), 'utf8')) as {
    version: string;
  };
  const facts = packages.flatMap(({ folder }) => {
    const isOurs = !folder.includes('node_modules');
    return isOurs
      ? sourceFacts(join(checkout, folder))
      : [`${folder} ${statSync(join(checkout, folder, 'package.json')).mtimeMs}`];
  });
  return `${manifest.version}-${sha256([process.version, ...facts].join('\n'))
    .toString('hex')
    .slice(0, 12)}`;
}

function sourceFacts(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const { size, mtimeMs } = statSync(path);
    return `${path} ${size} ${mtimeMs}`;
  });
}
