import { readdirSync } from 'node:fs';
import { createServer as createTcpServer, type Server } from 'node:net';
import { identifyProcess, processCommandLine } from '@trove/common';
import type { CreateServer } from '../src/driver.ts';

/** An agent that leaves a program running beside itself, as a real one leaves its database, and writes down what it was given. */
export const AGENT = `
const { spawn } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const server = JSON.parse(readFileSync(process.argv[process.argv.indexOf('--server-file') + 1], 'utf8'));
const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
const stat = readFileSync('/proc/' + child.pid + '/stat', 'utf8');
const started = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() + '/' + stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
writeFileSync(join(server.root_dir, 'run/database.process'), JSON.stringify({ pid: child.pid, started }));
writeFileSync(join(server.root_dir, 'run/seen.json'), JSON.stringify({ argv: process.argv.slice(2), env: process.env, uid: process.getuid(), server }));
setInterval(() => {}, 1000);
`;
/** The address after this one. */
export function nextAddress(address: string): string {
  const parts = address.split('.').map(Number);
  return [...parts.slice(0, 3), (parts[3] ?? 0) + 1].join('.');
}

/** Holds a port. */
export async function listen(host: string, port: number): Promise<Server> {
  const server = createTcpServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port }, resolve));
  return server;
}

/** The agents that run for this instance, by their command lines. */
export function agentsOn(create: CreateServer): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter(
    (pid) =>
      processCommandLine(pid).includes(`${create.instanceId}/root/etc/trove/server.json`) &&
      identifyProcess(pid) !== undefined,
  );
}
